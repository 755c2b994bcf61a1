"""What a socket does with bytes that it still had to send when it is closed."""

from __future__ import annotations

import socket
import struct
from typing import Protocol

# SO_LINGER on, for no time (socket(7)).
_NO_TIME = struct.pack("ii", 1, 0)


class _Settable(Protocol):
    def setsockopt(self, level: int, optname: int, value: bytes, /) -> None: ...


def forget_on_close(connected: socket.socket | _Settable) -> None:
    """Have it reset when it is closed, also by the end of the process: what it still had to send is
    thrown away. By default the system goes on sending that for a quarter of an hour (tcp(7),
    ``tcp_retries2``), so that it arrives when a network that was cut is mended: as the effect of a
    request that was given up long before, behind the effects of whoever has taken over since.
    """
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_TIME)
