"""When all that waits will be done, if the API is well from then on that it may be asked again.

Pure. Each request takes its turn of an even pace; what is put off, or planned, is not asked about
before its time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

# For so long EventBridge tries to deliver an event (AWS: retry policy of a rule's target).
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Due:
    """``requests``: how many are needed, on the average of many; ``after``: seconds from now before
    which none of them is made."""

    requests: float
    after: float = 0.0


def drained_after(dues: Iterable[Due], *, per_minute: float, held: float = 0.0) -> float:
    """Seconds from now until the last request has left; 0 when none is needed. ``held``: seconds
    for which nothing may leave.

    What is due last can not end before its time, and all that is due from any moment on can not end
    sooner than the pace lets it from then: the latest of these ends is the end.
    """
    end = work = 0.0
    for due in sorted(dues, key=lambda due: due.after, reverse=True):
        if due.requests > 0:
            work += due.requests
            end = max(end, max(due.after, held) + work * 60 / per_minute)
    return end


def within_a_day(oldest_age: float | None, seconds: float) -> bool:
    """Whether the oldest of what waits is done within a day of its event. ``oldest_age``: seconds;
    None when nothing waits."""
    if oldest_age is None:
        return True
    return math.isfinite(seconds) and oldest_age + seconds <= DAY_SECONDS
