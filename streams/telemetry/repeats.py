"""Lets one line of a kind through in ten seconds, so that lasting trouble does not hide other
lines."""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

# A person who reads along sees that the trouble lasts, and an hour of it is 360 lines of a kind.
REPEAT_SECONDS = 10.0

# How many kinds of line are remembered. A message that was put together before it was logged is a
# kind of its own each time. The limit keeps those from filling memory.
REMEMBERED_KINDS = 500

# Our own loggers that write a line for every request, record or connection. With Kafka or the API
# down those are thousands of lines, and the outcomes and the metrics have every one.
NOISY_LOGGERS = (
    "streams.bridge",
    "streams.kafka.fetching",
    "streams.listening",
    "streams.worker.outcomes",
    "streams.worker.processor",
)

OURS = "streams"

# With our other loggers each line counts, such as a revoked partition or a worker that ends. But
# this many of a kind in ten seconds are trouble that repeats itself.
BURST = 50

# Characters of a message that tell its kind: more than any template of ours has, and few enough
# that a library which logs a whole record costs nothing.
_LOOKED_AT = 500

# asyncio and others put the address of an object into the first line of their messages.
_ADDRESS = re.compile(r"\b0x[0-9a-f]+")


@dataclass(slots=True)
class _Window:
    """Lines of one kind from ``since`` on: how many were let through and how many left out."""

    since: float
    shown: int = 0
    suppressed: int = 0


class RepeatFilter(logging.Filter):
    """Lets one line of a kind (logger, level, first line of the message's template) through in
    ``REPEAT_SECONDS``, or ``BURST`` lines for those of our loggers where each line counts. The next
    line let through says in ``suppressed`` how many were left out. A traceback is part of its line.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        # Oldest first.
        self._kinds: OrderedDict[tuple[str, int, str], _Window] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, record.levelno, _template(record))
        now = self._monotonic()
        window = self._kinds.get(kind)
        if window is None or now - window.since >= REPEAT_SECONDS:
            if window is not None and window.suppressed:
                record.suppressed = window.suppressed
            window = self._kinds[kind] = _Window(now)
            self._kinds.move_to_end(kind)
            if len(self._kinds) > REMEMBERED_KINDS:
                self._kinds.popitem(last=False)
        if window.shown >= _most(record.name):
            window.suppressed += 1
            return False
        window.shown += 1
        return True


def _most(logger: str) -> int:
    if _within(logger, (OURS,)) and not _within(logger, NOISY_LOGGERS):
        return BURST
    return 1


def _within(logger: str, parents: tuple[str, ...]) -> bool:
    return any(logger == parent or logger.startswith(f"{parent}.") for parent in parents)


def _template(record: logging.LogRecord) -> str:
    # An object that was logged in the place of a text may fail to become text.
    if not isinstance(record.msg, str):
        return type(record.msg).__name__
    return _ADDRESS.sub("0x", record.msg[:_LOOKED_AT].partition("\n")[0])
