"""Ends a process that hangs on its way out."""

from __future__ import annotations

import os
import threading


def leave_within(seconds: float, why: str, code: int = 1) -> None:
    """End the process with exit code ``code`` after ``seconds``, unless it has ended by then.

    It uses a thread, because the event loop may be what hangs. The thread is never cancelled,
    because the interpreter may hang too, when it waits at its end for another thread.
    """
    timer = threading.Timer(seconds, leave_now, [why, code])
    timer.daemon = True
    timer.start()


def leave_now(why: str, code: int = 1) -> None:
    """End the process at once. Code 1 means that unfinished work is left to be done again."""
    # Not through sys.stderr: its lock may be held by the very code that hangs.
    left = "ending now with work unfinished" if code else "ending now"
    try:
        os.write(2, f"genesys-streams: {why}: {left}\n".encode())
    finally:  # also when the disk of the log is full
        os._exit(code)
