"""Which of a great many records is due next, in 56 bytes for each that waits.

Pure. A tuple with its members would take four times as much, and the search for garbage would go
through every one of them: each is one whole number here.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

# Kafka's partitions have 31 bits and its offsets 63, so each number below orders as its place does.
_PARTITION_BITS = 31
_OFFSET_BITS = 63

_MINUTE_MS = 60_000


class Place(NamedTuple):
    """A record of the one topic, and when it is due, epoch milliseconds, none of them
    below 0."""

    due_ms: int
    partition: int
    offset: int


@dataclass(slots=True)
class Minute:
    """What is due within one minute: ``records``: how many. ``oldest``, ``oldest_unplanned``: the
    time of the oldest event that has waited here, of all and of those that are no planned look,
    epoch seconds; inf for none. They stay when a record leaves, until the minute is empty."""

    due: float
    records: int = 0
    oldest: float = inf
    oldest_unplanned: float = inf


class DueOrder:
    """Places ordered by when they are due, then by partition and offset."""

    __slots__ = ("_minutes", "_packed")

    def __init__(self) -> None:
        self._packed: list[int] = []
        self._minutes: dict[int, Minute] = {}

    def __len__(self) -> int:
        return len(self._packed)

    def add(self, place: Place, *, occurred_at: float, planned: bool) -> None:
        """``occurred_at``: its event's time, epoch seconds; ``planned``: it is a planned look."""
        heapq.heappush(self._packed, _pack(place))
        number = place.due_ms // _MINUTE_MS
        minute = self._minutes.get(number)
        if minute is None:
            minute = self._minutes[number] = Minute(number * _MINUTE_MS / 1000)
        minute.records += 1
        minute.oldest = min(minute.oldest, occurred_at)
        if not planned:
            minute.oldest_unplanned = min(minute.oldest_unplanned, occurred_at)

    def first(self) -> Place | None:
        """The one that is due next."""
        return _unpack(self._packed[0]) if self._packed else None

    def pop(self) -> Place:
        """Take out the one that is due next. Raises IndexError when there is none."""
        place = _unpack(heapq.heappop(self._packed))
        number = place.due_ms // _MINUTE_MS
        minute = self._minutes[number]
        minute.records -= 1
        if not minute.records:
            del self._minutes[number]
        return place

    def next(self, most: int) -> list[Place]:
        """The first ones, at most so many. Looks at all."""
        return [_unpack(packed) for packed in heapq.nsmallest(most, self._packed)]

    def places(self) -> Iterator[Place]:
        """All of them, in no order."""
        return map(_unpack, self._packed)

    def minutes(self) -> Iterable[Minute]:
        """How many are due when, in no order."""
        return self._minutes.values()

    def clear(self) -> None:
        self._packed.clear()
        self._minutes.clear()


def _pack(place: Place) -> int:
    return ((place.due_ms << _PARTITION_BITS | place.partition) << _OFFSET_BITS) | place.offset


def _unpack(packed: int) -> Place:
    rest, offset = packed >> _OFFSET_BITS, packed & ((1 << _OFFSET_BITS) - 1)
    return Place(rest >> _PARTITION_BITS, rest & ((1 << _PARTITION_BITS) - 1), offset)
