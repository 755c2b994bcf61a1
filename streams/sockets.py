"""What a socket does with bytes that it still had to send when it is closed."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

# SO_LINGER on, for no time (socket(7)).
_NO_TIME = struct.pack("ii", 1, 0)


def forget_on_close(connected: socket.socket) -> None:
    """Have it reset when it is closed, also by the end of the process: what it still had to send is
    thrown away. By default the system goes on sending that for a minute or two (tcp(7),
    ``tcp_orphan_retries``), so that it arrives when a network that was cut is back: as the effect
    of a request that was given up long before, behind the effects of whoever has taken over since.
    """
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_TIME)


def reset(transport: asyncio.Transport) -> None:
    """Reset a connection whose socket forgets. One that has ended stays as it is."""
    # asyncio's transport has no loop any more when it was closed first and has sent its last bytes
    # after that, and its ``abort`` does not know (``_SelectorTransport._call_connection_lost``).
    with suppress(AttributeError):
        transport.abort()
