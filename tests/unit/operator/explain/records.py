"""Records of one interaction, as they are found in Kafka."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.clock import rfc3339
from streams.core.envelope import InteractionEvent
from streams.core.records import Basis, Call, Decision, Fault, PutOff, Reason, Source
from streams.operator.explain.found import (
    EventRecord,
    Found,
    Kept,
    LetterRecord,
    OutcomeRecord,
    ReturnRecord,
)
from streams.wire.dead_letters import DeadLetter, Stage, read_letter
from streams.wire.outcomes import Outcome, outcome_id
from streams.wire.retries import Returned

ID = "call-17"
EVENTS, OUTCOMES = "shop.events", "shop.outcomes"
RETRIES, LETTERS = "shop.retries", "shop.dead-letters"
PARTITION = 3

# 2026-01-05T08:00:00Z.
NOON = 1_767_600_000_000
TRACE = "56e61b9e6c485c758b5c793dea22c80c"


def at(offset: int) -> Source:
    return Source(EVENTS, PARTITION, offset)


def event_record(
    offset: int,
    sequence: int | str = 1,
    *,
    ms: int = 0,
    state: str | None = "completed",
    kind: str | None = "voice",
    **changes: Any,
) -> EventRecord:
    """``ms``: after NOON."""
    order = sequence if isinstance(sequence, int) else None
    event = InteractionEvent(
        ID, sequence, order, kind, state, f"event-{offset}", rfc3339((NOON + ms - 100) / 1000)
    )
    made: dict[str, Any] = {
        "place": at(offset),
        "at": NOON + ms,
        "trace_id": TRACE,
        "event": event,
        "received_at": NOON + ms - 5,
    }
    return EventRecord(**made | changes)


def outcome(
    of: int,
    decision: Decision = Decision.INELIGIBLE,
    reason: Reason = Reason.NOT_COMPLETED,
    *,
    ms: int = 50,
    attempt: int | None = None,
    redriven: int = 0,
    **changes: Any,
) -> Outcome:
    """Of the event at this offset."""
    made = Outcome(
        outcome_id=outcome_id(at(of), attempt, redriven=redriven),
        final=decision is not Decision.DEFERRED,
        interaction_id=ID,
        sequence_id=1,
        event_id=f"event-{of}",
        decision=decision,
        reason=reason,
        basis=Basis.EVENT,
        dry_run=False,
        disposition_code_id=None,
        patch_status=None,
        recovered=False,
        api_calls=0,
        attempts=0,
        duration_ms=None,
        event_time=rfc3339(NOON / 1000),
        decided_at=rfc3339((NOON + ms) / 1000),
        latency_ms=20.0,
        end_to_end_ms=150.0,
        source=at(of),
        trace_id=TRACE,
        error=None,
        next_at=None,
    )
    return msgspec.structs.replace(made, **changes)


def outcome_record(offset: int, of: Outcome, *, ms: int | None = None) -> OutcomeRecord:
    stored = NOON + (60 if ms is None else ms)
    return OutcomeRecord(Source(OUTCOMES, 1, offset), stored, TRACE, of)


def call(number: int, status: int | None = 200, error: str | None = None) -> Call:
    return Call(
        rfc3339((NOON + 30 + number) / 1000), "GET", status, error, 12.0, 88.4, f"corr-{number}"
    )


def return_record(
    offset: int, of: int, *, attempt: int = 1, redriven: int = 0, reason: str = "", ms: int = 70
) -> ReturnRecord:
    returned = Returned(at(of), PutOff(attempt, NOON + 30_000), redriven)
    return ReturnRecord(Source(RETRIES, PARTITION, offset), NOON + ms, TRACE, returned, reason)


def letter_record(
    offset: int,
    of: int | None = None,
    *,
    stage: Stage = Stage.WORKER,
    reason: str = "forbidden",
    redriven: int = 0,
    value: bytes = b"{}",
    ms: int = 55,
) -> LetterRecord:
    letter = DeadLetter(
        ID.encode(),
        value,
        reason,
        "give it the scope",
        stage,
        1,
        rfc3339((NOON + ms) / 1000),
        None if of is None else at(of),
        redriven,
    )
    read = read_letter(0, offset, letter.key, letter.value, letter.headers())
    return LetterRecord(Source(LETTERS, 0, offset), NOON + ms, TRACE, read)


FAULT = Fault("forbidden", "403: the scope interaction:write is missing", 403, "corr-1")


def found(
    *records: EventRecord | OutcomeRecord | ReturnRecord | LetterRecord,
    kept: Kept | None = None,
    since: int | None = None,
    outcomes_kept: Kept | None = None,
) -> Found:
    return Found(
        ID,
        [each for each in records if isinstance(each, EventRecord)],
        [each for each in records if isinstance(each, OutcomeRecord)],
        [each for each in records if isinstance(each, ReturnRecord)],
        [each for each in records if isinstance(each, LetterRecord)],
        kept or Kept(EVENTS, PARTITION, 0, NOON),
        since,
        outcomes_kept,
    )
