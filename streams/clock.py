"""Time as a collaborator, so that a test can hand in its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol

# Entered for a wait, so that others may go on meanwhile.
Resting = Callable[[], AbstractAsyncContextManager[None]]

_EPOCH = datetime.fromtimestamp(0, UTC)

# Seconds since the epoch of the first and the last second that can be written: 0001-01-01T00:00:00
# and 9999-12-31T23:59:59. A record's time in Kafka is any 64-bit number that its producer chose.
_EARLIEST = -62_135_596_800
_LATEST = 253_402_300_799


class Clock(Protocol):
    """What the program asks of time. All figures are in seconds."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes backwards. For durations and deadlines."""
        ...

    def time(self) -> float:
        """Seconds since the epoch. For what is written down; never for durations."""
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

    Never raises: a time outside the years 1 to 9999 is written as the nearest one within them, and
    what is no number as the earliest.
    """
    # In this order NaN, which is greater and smaller than nothing, becomes the earliest.
    writable = min(max(_EARLIEST, epoch_seconds), _LATEST)
    at = datetime.fromtimestamp(writable, UTC).replace(tzinfo=None)
    return f"{at.isoformat(timespec='milliseconds')}Z"


def epoch_ms(timestamp: str | None) -> int | None:
    """An RFC 3339 / ISO 8601 time as epoch milliseconds; None when missing or unparsable.

    A time without an offset is taken as UTC, which is what Genesys Cloud means by it. One whose
    offset takes it out of the years 1 to 9999 is none: ``rfc3339`` could not write it.
    """
    if not timestamp:
        return None
    try:
        at = datetime.fromisoformat(timestamp)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (at - _EPOCH) // timedelta(milliseconds=1)
