"""Handles signals until a command drains by itself (see ``serving``)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def handled() -> tuple[signal.Signals, ...]:
    """The signals that end this program. Under ``nohup`` a process ignores SIGHUP, and that is left
    so."""
    return tuple(
        number
        for number in STOP_SIGNALS
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
    )


def unwind() -> None:
    """From now on a signal ends the program as Ctrl-C does: everything that is open is closed."""
    for number in handled():
        signal.signal(number, signal.default_int_handler)


def ignore(numbers: Iterable[signal.Signals]) -> None:
    """From now on these signals do nothing. Python takes its own handlers away as it ends, and a
    SIGTERM that is repeated then would make a drain that is done look like a crash."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def nothing_begun() -> Iterator[None]:
    """While modules are imported and settings read, a signal ends the process at once, with 0.

    There is nothing to close yet, and an exception in the middle of an import can get lost there.
    """
    before = {number: signal.getsignal(number) for number in handled()}
    for number in before:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _leave:
                signal.signal(number, handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)
