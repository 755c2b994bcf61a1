"""Records of one conversation, as they are found in Kafka."""

from __future__ import annotations

from typing import Any

from streams.core.conversations.events import ConversationEvent, EventName
from streams.core.records import Basis, Call, Decision, Leg, PutOff, Reason, Source
from streams.operator.explain.found import EventRecord, OutcomeRecord, ReturnRecord
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.retries import Returned
from tests.unit.operator.explain.records import (
    ID,
    NOON,
    PARTITION,
    RETRIES,
    TRACE,
    at,
    outcome,
    outcome_record,
)

ANN, BOB = (
    Leg(f"leg-of-{name}", f"user-{name}", "queue-1", f"session-{name}", "voice")
    for name in ("ann", "bob")
)


def told(
    offset: int, name: EventName = EventName.USER_END, *, ms: int = 0, **changes: Any
) -> EventRecord:
    """An event of the conversation. ``ms``: after NOON, when Kafka got it."""
    values: dict[str, Any] = {
        "conversation_id": ID,
        "name": name,
        "event_time": NOON + ms - 100,
        "participant_id": ANN.participant_id,
        "session_id": ANN.communication_id,
        "medium": "voice",
        "wrapup_code": None,
        "campaign": False,
        "event_id": f"event-{offset}",
    }
    event = ConversationEvent(**values | changes)
    return EventRecord(at(offset), NOON + ms, TRACE, event, NOON + ms - 5)


def answered(
    offset: int,
    of: int,
    reason: Reason,
    decision: Decision = Decision.NOTED,
    *,
    ms: int,
    calls: tuple[Call, ...] = (),
    basis: Basis = Basis.API,
) -> OutcomeRecord:
    """The outcome on the event at ``of``, by a look unless ``basis`` says otherwise."""
    own = outcome(of, decision, reason, ms=ms, sequence_id=None, calls=calls, basis=basis)
    return outcome_record(offset, own, ms=ms + 5)


def decided(
    offset: int,
    of: int,
    leg: Leg,
    decision: Decision,
    reason: Reason,
    *,
    ms: int,
    redriven: int = 0,
    **changes: Any,
) -> OutcomeRecord:
    """The outcome on a leg, by a look that the event at ``of`` has brought about."""
    own = outcome(
        of,
        decision,
        reason,
        ms=ms,
        sequence_id=None,
        leg=leg,
        basis=Basis.API,
        outcome_id=leg_outcome_id(ID, leg.participant_id, redriven=redriven),
        **changes,
    )
    return outcome_record(offset, own, ms=ms + 5)


def look(offset: int, of: int, *, ms: int, due: int, attempt: int = 1) -> ReturnRecord:
    """The copy of the event at ``of`` that brings about a look at ``due``, after NOON."""
    returned = Returned(at(of), PutOff(attempt, NOON + due))
    place = Source(RETRIES, PARTITION, offset)
    return ReturnRecord(place, NOON + ms, TRACE, returned, "look-planned")
