"""Puts what happened into one order, although the clocks of those who wrote it down differ. Pure.

Times say most of it. But a bridge whose clock is two seconds ahead must not have an event arrive
after its outcome, so what has led to something comes before it, whatever the times say.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

What = TypeVar("What")


@dataclass(frozen=True, slots=True)
class Happens(Generic[What]):
    """``at``: epoch milliseconds. ``after``: the numbers of those that come before it, all of them
    earlier in the list that it is in."""

    what: What
    at: int
    after: frozenset[int] = frozenset()


def in_order(happens: Sequence[Happens[What]]) -> list[What]:
    """All of them, the earliest first, and none before those that it comes after."""
    left = [len(each.after) for each in happens]
    leads_to: list[list[int]] = [[] for _ in happens]
    for number, each in enumerate(happens):
        for cause in each.after:
            leads_to[cause].append(number)
    ready = [(each.at, number) for number, each in enumerate(happens) if not each.after]
    heapq.heapify(ready)
    ordered: list[What] = []
    while ready:
        _, number = heapq.heappop(ready)
        ordered.append(happens[number].what)
        for effect in leads_to[number]:
            left[effect] -= 1
            if not left[effect]:
                heapq.heappush(ready, (happens[effect].at, effect))
    return ordered
