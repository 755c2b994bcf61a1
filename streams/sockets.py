"""What a socket does with bytes that it still had to send when it is closed."""

from __future__ import annotations

import socket
import struct

# SO_LINGER on, for no time (socket(7)).
_NO_TIME = struct.pack("ii", 1, 0)


def forget_on_close(connected: socket.socket) -> None:
    """Have it reset when it is closed, also by the end of the process: what it still had to send is
    thrown away. By default the system goes on sending that for a minute or two (tcp(7),
    ``tcp_orphan_retries``), so that it arrives when a network that was cut is back: as the effect
    of a request that was given up long before, behind the effects of whoever has taken over since.
    """
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_TIME)
