"""Counts recent events, and how many of them were bad. Pure: times are monotonic seconds that the
caller hands in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class Second:
    """The events counted in the second ``at``."""

    at: int
    number: int = 0
    bad: int = 0


class RollingWindow:
    """Counts by the second. A window that kept every event would grow with their number."""

    def __init__(self, seconds: float) -> None:
        self._length = seconds
        self._seconds: deque[Second] = deque()

    def count(self, now: float, *, bad: bool) -> None:
        """Count one event, and forget those that have become too old."""
        if not self._seconds or self._seconds[-1].at != int(now):
            self._seconds.append(Second(int(now)))
        self._seconds[-1].number += 1
        self._seconds[-1].bad += bad
        while self._seconds[0].at <= now - self._length:
            self._seconds.popleft()

    def newest_first(self) -> Iterator[Second]:
        return reversed(self._seconds)

    def clear(self) -> None:
        self._seconds.clear()
