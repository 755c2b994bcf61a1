"""Whether a source record was decided before, as the table proves (promise 6).

Kafka delivers a record again after a crash or a rebalance. Such a record is not one of
EventBridge's duplicates: its outcome is published already, or the verdict that was decided is
published now. Offsets prove which records were decided, because the records of one interaction are
decided in offset order. Offsets can be compared only within one *life* of the partition's log:
after the log was cut, restored or made anew, other records lie at the same offsets.
"""

from __future__ import annotations

import msgspec

from streams.core.envelope import InteractionEvent
from streams.core.records import InteractionRecord, Verdict
from streams.core.sequence import Standing, standing

# Marks an intent whose source record is gone with its log. No record will look for that PATCH, so
# any record that finds its code counts the code as ours.
_NO_OFFSET = -1


class Redelivery(msgspec.Struct, frozen=True):
    """A record that was decided before. ``verdict``: the verdict to publish, perhaps a second time;
    None when its outcome was certainly published."""

    verdict: Verdict | None


class Appearance(msgspec.Struct, frozen=True):
    """One delivery of a source record.

    ``offset``: its offset in ``events``, in the ``life`` of that log. ``time_ms``: when Kafka got
    it, epoch milliseconds. ``returned_at``: its offset in ``retries``; None when it comes from
    ``events``. ``attempt``: deferrals so far. ``redriven``: how often it was redriven.
    """

    offset: int
    life: str = ""
    time_ms: int = 0
    returned_at: int | None = None
    attempt: int = 0
    redriven: int = 0


def of_life(record: InteractionRecord, life: str) -> InteractionRecord:
    """The record without the parts that do not hold in this life of the log.

    Offsets of an earlier life can not be compared. Every record written before the interaction's
    last decision counts as decided. A PATCH in doubt has no source record left that would look for
    it.
    """
    if record.life == life:
        return record
    if not record.life:
        # Written by a version that kept no lives: its offsets are taken for those of this life.
        return msgspec.structs.replace(record, life=life)
    intent = record.intent
    return msgspec.structs.replace(
        record,
        life=life,
        decided_before=record.updated_at,
        last_offset=None,
        unpublished=(),
        verdict=None,
        intent=intent and msgspec.structs.replace(intent, offset=_NO_OFFSET),
    )


def redelivery_of(
    record: InteractionRecord, event: InteractionEvent, at: Appearance
) -> Redelivery | None:
    """Whether the table proves that this record was decided before; None when it has to be decided.

    ``record`` must be of the same life as the offset (see ``of_life``).
    """
    known = record.deferral(at.offset)
    if at.returned_at is not None:
        if known is None or known.redriven < at.redriven:
            return None
        if known.returned_at == at.returned_at:
            # Decided before a crash; its outcome is perhaps not published.
            return Redelivery(known.verdict)
        put_off = known.verdict.put_off
        copy = put_off is None or put_off.attempt != at.attempt
        return Redelivery(None) if copy or known.redriven > at.redriven else None
    if _decided_in_earlier_life(record, event, at):
        return Redelivery(None)
    if record.last_offset is None or at.offset > record.last_offset:
        return None
    if at.offset == record.last_offset and record.verdict is not None:
        # Its copy has been read from `retries`, and a copy is written only after the outcome. So
        # there is nothing to publish.
        return Redelivery(
            None if known is not None and known.returned_at is not None else record.verdict
        )
    if at.offset == record.last_offset:
        return None
    return Redelivery(next((e.verdict for e in record.unpublished if e.offset == at.offset), None))


def _decided_in_earlier_life(
    record: InteractionRecord, event: InteractionEvent, at: Appearance
) -> bool:
    """Whether Kafka had the record by the last decision of an earlier life, and its sequence was
    seen."""
    return 0 < at.time_ms <= record.decided_before and _was_seen(record, event)


def _was_seen(record: InteractionRecord, event: InteractionEvent) -> bool:
    return standing(record.seen, event) is Standing.DUPLICATE
