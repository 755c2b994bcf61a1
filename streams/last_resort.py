"""The end of a process that hangs on its way out."""

from __future__ import annotations

import os
import threading


def leave_within(seconds: float, why: str, code: int = 1) -> None:
    """End the process with that exit code after that time, unless it is gone by then.

    A thread, because what hangs may be the event loop; never cancelled, because what hangs may also
    be the interpreter waiting for somebody's thread at its own end.
    """
    timer = threading.Timer(seconds, leave_now, [why, code])
    timer.daemon = True
    timer.start()


def leave_now(why: str, code: int = 1) -> None:
    """End the process at once. Code 1: what was not finished is left to be done again."""
    # Not through sys.stderr: its lock may be held by the very code that hangs.
    left = "ending now with work unfinished" if code else "ending now"
    try:
        os.write(2, f"genesys-streams: {why}: {left}\n".encode())
    finally:  # also where the log is on the disk that is full
        os._exit(code)
