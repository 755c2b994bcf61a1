"""Whether a source record was decided before, as the table proves (promise 6).

Kafka hands a record out again after a crash or a rebalance. That is no duplicate of EventBridge's:
it has its outcome already, or gets the one that was decided. Offsets prove it, for an interaction's
records are decided in their order; and offsets count within one *life* of the partition's log. When
the log was cut, restored or made anew, other records lie at the same offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from streams.core.envelope import InteractionEvent
from streams.core.records import InteractionRecord, Verdict
from streams.core.sequence import Standing, standing

# The offset of an intent whose source record is in no log any more: nothing waits for its result,
# so whoever meets its code may call it ours.
_NO_OFFSET = -1


@dataclass(frozen=True, slots=True)
class Told:
    """A record that was decided before. ``verdict``: to be told, perhaps again; None when it surely
    was told."""

    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Appearance:
    """A source record as it is handed out.

    ``offset``: its own, in ``events``, in the ``life`` of that log. ``time_ms``: when Kafka got it,
    epoch milliseconds. ``taken``: where it lies in ``retries``; None when it comes from ``events``.
    ``attempt``: deferrals so far. ``redriven``: how often it was sent back from the dead letters.
    """

    offset: int
    life: str = ""
    time_ms: int = 0
    taken: int | None = None
    attempt: int = 0
    redriven: int = 0


def of_life(record: InteractionRecord, life: str) -> InteractionRecord:
    """The record as far as it holds in this life of the log.

    From an earlier one no offset can be compared. What Kafka had got by the last decision is known
    to have been decided; a PATCH that was in doubt has no record left that will look for it.
    """
    if record.life == life:
        return record
    if not record.life:
        # Written before lives were kept: its offsets are taken for this life's.
        return msgspec.structs.replace(record, life=life)
    intent = record.intent
    return msgspec.structs.replace(
        record,
        life=life,
        told_before=record.updated_at,
        last_offset=None,
        verdict=None,
        intent=intent and msgspec.structs.replace(intent, offset=_NO_OFFSET),
    )


def told_before(record: InteractionRecord, event: InteractionEvent, at: Appearance) -> Told | None:
    """What the table proves of a record that comes again; None when it is to be decided.

    ``record`` is of the life that the offset is of (see ``of_life``).
    """
    known = record.deferral(at.offset)
    if at.taken is not None:
        if known is None or known.redriven < at.redriven:
            return None
        if known.taken == at.taken:
            # Decided before a crash, perhaps not told.
            return Told(known.verdict)
        put_off = known.verdict.put_off
        copy = put_off is None or put_off.attempt != at.attempt
        return Told(None) if copy or known.redriven > at.redriven else None
    if _told_in_earlier_life(record, event, at):
        return Told(None)
    if record.last_offset is None or at.offset > record.last_offset:
        return None
    if at.offset == record.last_offset and record.verdict is not None:
        # A record put off that came back: it has been in `retries`, behind its outcome.
        return Told(None if known is not None and known.taken is not None else record.verdict)
    return Told(None) if at.offset < record.last_offset else None


def _told_in_earlier_life(
    record: InteractionRecord, event: InteractionEvent, at: Appearance
) -> bool:
    """Kafka had the record by the last decision of an earlier life, and its sequence was seen."""
    return 0 < at.time_ms <= record.told_before and _was_seen(record, event)


def _was_seen(record: InteractionRecord, event: InteractionEvent) -> bool:
    return standing(record.seen, event) is Standing.DUPLICATE
