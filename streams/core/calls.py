"""How many of the requests made for a source record its outcome has, and how many the table keeps.

Plain functions on plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from streams.core.records import Call, Deferred, Unpublished, Verdict

# The latest requests for one source record (contract, ``calls``).
MOST_CALLS = 16

# How many requests an interaction's record keeps of the records that were put off, and as many of
# those whose outcomes are not published. It bounds the record's size: 28 KB each. What is beyond is
# left out of the oldest verdicts, so an outcome that is published again after a crash may lack
# them; that takes some thirty records of one interaction in an outage.
MOST_KEPT_CALLS = 96

Kept = TypeVar("Kept", Deferred, Unpublished)


def latest(before: Verdict | None, made: Sequence[Call]) -> tuple[Call, ...]:
    """The latest of the requests for a record. ``before``: its verdict when it was put off."""
    earlier = before.calls if before is not None else ()
    return (*earlier, *made)[-MOST_CALLS:]


def without_calls(verdict: Verdict) -> Verdict:
    """For a verdict that is never published again."""
    return msgspec.structs.replace(verdict, calls=()) if verdict.calls else verdict


def bounded(entries: Sequence[Kept]) -> tuple[Kept, ...]:
    """The entries, oldest first, with the requests of the newest ones alone."""
    left = MOST_KEPT_CALLS
    kept: list[Kept] = []
    for each in reversed(entries):
        left -= len(each.verdict.calls)
        kept.append(each if left >= 0 else _without(each))
    return tuple(reversed(kept))


def _without(entry: Kept) -> Kept:
    if not entry.verdict.calls:
        return entry
    return msgspec.structs.replace(entry, verdict=without_calls(entry.verdict))
