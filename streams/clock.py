"""Time as a collaborator, so that a test can hand in its own."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

# Makes a context manager that is entered around a wait, so that other work may go on meanwhile.
Resting = Callable[[], AbstractAsyncContextManager[None]]

# Seconds since the epoch of the first and the last second that can be written: 0001-01-01T00:00:00
# and 9999-12-31T23:59:59. A record's time in Kafka is any 64-bit number that its producer chose.
_EARLIEST = -62_135_596_800
_LATEST = 253_402_300_799

# Of times written before. Records that are decided together have the same ones again and again.
_REMEMBERED = 1024


class Clock(Protocol):
    """The time functions that the program uses. All numbers are in seconds."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes backwards. For durations and deadlines."""
        ...

    def time(self) -> float:
        """Seconds since the epoch. For times that are written down; never for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long without blocking the event loop."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def rfc3339(epoch_seconds: float) -> str:
    """``1765552507.657`` -> ``2025-12-12T15:15:07.657Z``: UTC, milliseconds (contract, outcome).

    Never raises: a time outside the years 1 to 9999 is written as the nearest time within them, and
    NaN as the earliest.
    """
    if not _EARLIEST <= epoch_seconds <= _LATEST:  # nor does NaN lie there
        epoch_seconds = _LATEST if epoch_seconds > _LATEST else _EARLIEST
    whole = math.floor(epoch_seconds)
    # Through microseconds, as the event's own time has them: 0.657 is a little less in binary.
    micros = round((epoch_seconds - whole) * 1_000_000)
    return _written(whole * 1000 + micros // 1000)


@lru_cache(maxsize=_REMEMBERED)
def _written(epoch_millis: int) -> str:
    second, millis = divmod(epoch_millis, 1000)
    return f"{_second(second)}.{millis:03d}Z"


@lru_cache(maxsize=_REMEMBERED)
def _second(epoch_seconds: int) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).replace(tzinfo=None).isoformat()
