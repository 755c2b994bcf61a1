"""What happened, as the fields of one JSON object each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.clock import rfc3339
from streams.core.conversations.events import ConversationEvent
from streams.core.interaction import Interaction
from streams.core.records import Leg, Verdict
from streams.core.sequence import Standing
from streams.operator.explain.history import Arrived, Decided, Died, Happening, Requested, Returns
from streams.wire.reading import Unreadable

Fields = dict[str, object]

# As explain calls them. ``late`` is what an outcome calls ``stale``.
STANDINGS = {Standing.NEW: "new", Standing.DUPLICATE: "duplicate", Standing.STALE: "late"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What Genesys Cloud says now. ``at``: epoch seconds. ``verdict``: what a worker in a dry run
    would decide. ``interaction``: None when the API gave none."""

    at: float
    verdict: Verdict
    interaction: Interaction | None

    def fields(self) -> Fields:
        seen, verdict = self.interaction, self.verdict
        return {
            "interaction": None
            if seen is None
            else {
                "type": seen.type,
                "state": seen.state,
                "dispositionCodeId": seen.disposition_code_id,
                "wrapUpCodeId": seen.wrap_up_code_id,
                "durationMs": seen.duration_ms,
                "ended": seen.ended,
            },
            "decision": verdict.decision,
            "reason": verdict.reason,
            "error": verdict.error,
        }


@dataclass(frozen=True, slots=True)
class LegsAnswer:
    """What Genesys Cloud says now of a conversation. ``verdict``: on one of its records; ``legs``:
    what a worker in a dry run would decide of each, once it is over."""

    at: float
    verdict: Verdict
    legs: Sequence[tuple[Leg, Verdict]]

    def fields(self) -> Fields:
        return {
            "decision": self.verdict.decision,
            "reason": self.verdict.reason,
            "error": self.verdict.error,
            "legs": [
                {
                    "leg": leg,
                    "decision": verdict.decision,
                    "reason": verdict.reason,
                    "durationMs": verdict.duration_ms,
                }
                for leg, verdict in self.legs
            ],
        }


def fields(happening: Happening) -> Fields:
    """Beside the kind, the time, the sentence, the place and the trace, which all have."""
    match happening:
        case Arrived():
            return _arrived(happening)
        case Requested(record=outcome_record, call=call):
            outcome = outcome_record.outcome
            source = None if isinstance(outcome, Unreadable) else outcome.source
            return {"call": call, "source": source}
        case Decided(record=decided, again=again):
            if isinstance(decided.outcome, Unreadable):
                return {"unreadable": decided.outcome.why}
            return {"again": again, "outcome": decided.outcome}
        case Returns(record=copy):
            returned = copy.returned
            if returned is None:
                return {"unreadable": "its headers can not be read"}
            return {
                "reason": copy.reason,
                "attempt": returned.put_off.attempt,
                "notBefore": _time(returned.put_off.not_before),
                "redriven": returned.redriven,
                "by": copy.by or None,
                "why": copy.why or None,
                "source": returned.source,
            }
        case Died(record=died, standing=stands):
            letter = died.letter
            return {
                "reason": letter.reason or None,
                "message": letter.message or None,
                "stage": letter.stage or None,
                "now": stands,
                "redriven": letter.redriven,
                "source": letter.source,
            }


def _arrived(arrived: Arrived) -> Fields:
    record, event = arrived.record, arrived.record.event
    times: Fields = {
        "receivedAt": _time(record.received_at),
        "storedAt": _time(record.at if record.at >= 0 else None),
        "takenUpAt": _time(arrived.taken_up_at),
    }
    if isinstance(event, Unreadable):
        return {"unreadable": event.why, **times}
    assert arrived.standing is not None, "what can be read has one"
    if isinstance(event, ConversationEvent):
        return {
            "eventId": event.event_id,
            "eventTime": _time(event.event_time),
            **times,
            "name": event.name,
            "participantId": event.participant_id,
            "medium": event.medium,
            "wrapUpCode": event.wrapup_code,
            "talkedMs": event.talked_ms,
            "standing": STANDINGS[arrived.standing],
            "repeats": arrived.repeats,
        }
    return {
        "eventId": event.event_id,
        "eventTime": event.event_time,
        **times,
        "sequenceId": event.sequence_id,
        "interactionType": event.interaction_type,
        "state": event.state,
        "standing": STANDINGS[arrived.standing],
        "repeats": arrived.repeats,
        "missing": arrived.missing,
    }


def _time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at / 1000)
