"""Which sequences of one interaction were seen, and whether an event is new, a duplicate or stale.

EventBridge delivers events twice and out of order. Numbers have an order; ids that are not numbers
serve only to find duplicates. Gaps are counted and shown, but no event waits for a gap to fill.
"""

from __future__ import annotations

from enum import Enum, auto

from streams.core.envelope import InteractionEvent
from streams.core.records import Seen

# Bound the record of an interaction whose sequences never touch, or are not numbers. A number that
# was forgotten for this reason is decided as stale instead of duplicate when it comes again.
MAX_RANGES = 128
MAX_OPAQUE = 128


class Standing(Enum):
    """How an event compares with the events that were applied before."""

    NEW = auto()
    DUPLICATE = auto()
    STALE = auto()


def standing(seen: Seen, event: InteractionEvent) -> Standing:
    """Seen before: DUPLICATE. Lower than the highest applied, and not seen: STALE. Else NEW."""
    if event.order is None:
        return Standing.DUPLICATE if event.identity in seen.opaque else Standing.NEW
    for low, high in seen.ranges:
        if low <= event.order <= high:
            return Standing.DUPLICATE
    top = highest(seen)
    return Standing.STALE if top is not None and event.order < top else Standing.NEW


def remember(seen: Seen, event: InteractionEvent) -> Seen:
    """``seen`` with this event added. Bounded: numbers forget the lowest, other ids the oldest."""
    if event.order is None:
        if event.identity in seen.opaque:
            return seen
        return Seen(seen.ranges, (*seen.opaque, str(event.identity))[-MAX_OPAQUE:])
    return Seen(_insert(seen.ranges, event.order)[-MAX_RANGES:], seen.opaque)


def highest(seen: Seen) -> int | None:
    """The highest number applied, or None before the first."""
    return seen.ranges[-1][1] if seen.ranges else None


def gaps(seen: Seen) -> int:
    """How many numbers between the lowest and the highest one remembered have not come."""
    if len(seen.ranges) < 2:
        return 0
    return sum(
        after[0] - before[1] - 1
        for before, after in zip(seen.ranges, seen.ranges[1:], strict=False)
    )


def _insert(ranges: tuple[tuple[int, int], ...], number: int) -> tuple[tuple[int, int], ...]:
    """Add one number, joining the ranges that it makes touch."""
    if ranges and number == ranges[-1][1] + 1:  # the next one, as most are
        return (*ranges[:-1], (ranges[-1][0], number))
    low = high = number
    kept = []
    for start, end in ranges:
        if end < number - 1 or start > number + 1:
            kept.append((start, end))
        else:
            low, high = min(low, start), max(high, end)
    return tuple(sorted([*kept, (low, high)]))
