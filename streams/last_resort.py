"""Ends a process that hangs on its way out."""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from math import inf

# What the thread has before the watchdog ends the process: it says why, which the watchdog can not.
WATCHDOG_SECONDS = 0.4

# When the watchdog ends the process, monotonic seconds. The interpreter has one alone.
_watchdog_at = inf


def leave_within(seconds: float, why: str, code: int = 1) -> None:
    """End the process with exit code ``code`` after ``seconds``, unless it has ended by then; at
    once where they are over. Called again, the earliest end counts.

    It uses a thread, because the event loop may be what hangs. The thread is never cancelled,
    because the interpreter may hang too, when it waits at its end for another thread. At the very
    end no thread of Python's runs any more, and librdkafka, which is closed then, waits for its own
    by the wall clock: one that was set back keeps it for as long. Then a watchdog in C ends the
    process, with exit code 1 and the stack of what hangs.
    """
    global _watchdog_at  # noqa: PLW0603 - as there is one watchdog
    seconds = max(0.0, seconds)
    at = time.monotonic() + seconds + WATCHDOG_SECONDS
    if at < _watchdog_at:
        _watchdog_at = at
        faulthandler.dump_traceback_later(seconds + WATCHDOG_SECONDS, exit=True, file=2)
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
