"""What happened, each as one plain sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.clock import rfc3339
from streams.core.conversations.events import ConversationEvent
from streams.core.records import Call, Decision, Reason, Source
from streams.core.sequence import Standing
from streams.lengths import length
from streams.operator.explain.fields import Answer, LegsAnswer
from streams.operator.explain.found import EventRecord
from streams.operator.explain.history import Arrived, Decided, Died, Happening, Requested, Returns
from streams.operator.explain.verdicts import sentence, would
from streams.operator.standing import Standing as LetterStanding
from streams.timestamps import epoch_ms
from streams.wire.reading import Unreadable
from streams.wire.retries import BY_REPLAY


@dataclass(frozen=True, slots=True)
class Telling:
    """``kind``: one word, see ``kind_of``. ``at``: epoch milliseconds, None when nobody says.
    ``what``: the sentence. ``place``: the raw record. ``more``: further lines for people."""

    kind: str
    at: int | None
    what: str
    place: Source | None
    trace_id: str | None
    more: Sequence[str] = ()


def tell(happening: Happening, threshold_ms: int) -> Telling:
    """``threshold_ms``: DURATION_THRESHOLD_MS of today."""
    record = happening.record
    at: int | None = record.at if record.at >= 0 else None
    more = [f"record {_named(record.place)}"]
    match happening:
        case Arrived():
            what = _arrived(happening)
            more = [*_times(happening), *more]
        case Requested(call=call):
            at, what, more = epoch_ms(call.at), _requested(call), []
        case Decided():
            at, what = _decided(happening, threshold_ms, at)
            more = [f"{_about(happening)}{more[0]}"]
        case Returns():
            what = _returns(happening)
        case Died():
            what, at = _died(happening), happening.record.letter.failed_at or at
    if record.trace_id is not None and more:
        more[-1] += f", trace {record.trace_id}"
    return Telling(kind_of(happening), at, what, record.place, record.trace_id, tuple(more))


def kind_of(happening: Happening) -> str:
    """``event``, ``call``, ``decision``, ``look``, ``put-off``, ``redrive``, ``replay``,
    ``dead-letter``, ``refused`` or ``unreadable``."""
    match happening:
        case Arrived(record=arrived):
            return "unreadable" if isinstance(arrived.event, Unreadable) else "event"
        case Requested():
            return "call"
        case Decided(record=decided):
            return "unreadable" if isinstance(decided.outcome, Unreadable) else "decision"
        case Returns(record=copy):
            if copy.returned is None:
                return "unreadable"
            if copy.returned.redriven and not copy.returned.put_off.attempt:
                return "replay" if copy.reason == BY_REPLAY else "redrive"
            return "look" if copy.reason == Reason.LOOK_PLANNED else "put-off"
        case Died(refused=refused):
            return "refused" if refused else "dead-letter"


def tell_answer(answer: Answer | LegsAnswer, threshold_ms: int) -> Telling:
    """What Genesys Cloud says now, and what today's settings make of it."""
    if isinstance(answer, LegsAnswer):
        return _tell_legs(answer, threshold_ms)
    said = would(answer.verdict, threshold_ms)
    if (interaction := answer.interaction) is not None:
        seen = (
            f"type {interaction.type or '-'}, state {interaction.state or '-'}, disposition "
            f"{interaction.disposition_code_id or 'none'}, wrap-up "
            f"{interaction.wrap_up_code_id or 'none'}, length {length(interaction.duration_ms)}"
        )
        said = f"Genesys Cloud says {seen}; {said}"
    return Telling("now", round(answer.at * 1000), said, None, None)


def _tell_legs(answer: LegsAnswer, threshold_ms: int) -> Telling:
    """What Genesys Cloud says of a conversation now, and what today's settings make of each leg."""
    number = len(answer.legs)
    if number:
        legs = "one leg of an agent" if number == 1 else f"{number} legs of agents"
        said = f"Genesys Cloud says that it is over, with {legs}"
    elif answer.verdict.decision is Decision.NOTED:
        said = "Genesys Cloud says that it goes on; nothing is decided before it is over"
    else:
        said = would(answer.verdict, threshold_ms)
    more = [
        f"leg {leg.participant_id}: {would(verdict, threshold_ms)}" for leg, verdict in answer.legs
    ]
    return Telling("now", round(answer.at * 1000), said, None, None, more)


def _named(place: Source) -> str:
    return f"{place.topic}/{place.partition}/{place.offset}"


def _times(arrived: Arrived) -> Iterator[str]:
    """When it happened, and how long it then took to each place on its way."""
    record: EventRecord = arrived.record
    happened = None if isinstance(record.event, Unreadable) else record.event.occurred_ms
    said = "the event does not say when it happened"
    if happened is not None:
        said = f"happened {rfc3339(happened / 1000)}"
    ways = (
        ("at the bridge", record.received_at),
        ("in Kafka", record.at if record.at >= 0 else None),
        ("at the worker", arrived.taken_up_at),
    )
    before = happened
    parts = [said]
    for name, at in ways:
        if at is None:
            continue
        if before is None:
            parts.append(f"{name} {rfc3339(at / 1000)}")
        else:
            parts.append(f"{name} {length(at - before)} later")
        before = at
    yield ", ".join(parts)


def _arrived(arrived: Arrived) -> str:
    event = arrived.record.event
    if isinstance(event, Unreadable):
        return f"no event can be read: {event.why}"
    if isinstance(event, ConversationEvent):
        return f"{_of_a_conversation(event)}: {_standing(arrived)}"
    parts = [event.interaction_type or "type not said", event.state or "state not said"]
    said = f"sequence {event.sequence_id}, {', '.join(parts)}: {_standing(arrived)}"
    if arrived.missing is None:
        return said
    first, last = arrived.missing
    gap = f"{first} had" if first == last else f"{first} to {last} had"
    return f"{said}; {gap} not come by then"


def _of_a_conversation(event: ConversationEvent) -> str:
    parts = [event.name.value]
    if event.participant_id is not None:
        parts.append(f"participant {event.participant_id}")
    parts.append(event.medium or "medium not said")
    if event.talked_ms is not None:
        parts.append(f"talked {length(event.talked_ms)}")
    if event.wrapup_code is not None:
        parts.append(f"code {event.wrapup_code}")
    return ", ".join(parts)


def _standing(arrived: Arrived) -> str:
    match arrived.standing:
        case Standing.DUPLICATE:
            at = arrived.repeats
            return "a duplicate" if at is None else f"a duplicate of {at.partition}/{at.offset}"
        case Standing.STALE:
            return "late, behind a higher sequence"
        case _:
            return "new"


def _requested(call: Call) -> str:
    answer = str(call.error or "no answer") if call.status is None else str(call.status)
    if call.status is not None and call.error is not None:
        answer = f"{call.status} ({call.error})"
    waited = f", after a wait of {length(call.waited_ms)}" if call.waited_ms >= 1 else ""
    quoted = f", correlation id {call.correlation_id}" if call.correlation_id else ""
    return f"{call.method}: {answer} in {length(call.took_ms)}{waited}{quoted}"


def _decided(decided: Decided, threshold_ms: int, stored_at: int | None) -> tuple[int | None, str]:
    outcome = decided.record.outcome
    if isinstance(outcome, Unreadable):
        return stored_at, f"no outcome can be read: {outcome.why}"
    said = sentence(outcome, decided.event, threshold_ms)
    if outcome.leg is not None:
        said = f"leg {outcome.leg.participant_id}: {said}"
    if decided.again:
        return stored_at, f"published again after a crash: {said}"
    decided_at = epoch_ms(outcome.decided_at)
    return stored_at if decided_at is None else decided_at, said


def _about(decided: Decided) -> str:
    """Which event it is about: several may come before the first is decided. Of a leg: who it is,
    and the event whose look has decided it."""
    outcome = decided.record.outcome
    if isinstance(outcome, Unreadable):
        return ""
    if (leg := outcome.leg) is not None:
        who = f"user {leg.user_id or '-'}, queue {leg.queue_id or '-'}, {leg.medium or '-'}"
        return f"{who}, by {_named(outcome.source)}, "
    if outcome.sequence_id is None:
        return f"of {_named(outcome.source)}, "
    return f"of sequence {outcome.sequence_id} in {_named(outcome.source)}, "


def _returns(returns: Returns) -> str:
    returned, reason = returns.record.returned, returns.record.reason or "no reason given"
    if returned is None:
        return "a record of retries whose headers can not be read: another producer put it there"
    match kind_of(returns):
        case "replay":
            return f"a replay sent it back to be decided anew, time {returned.redriven}"
        case "redrive":
            by = f" ({returns.record.by})" if returns.record.by else ""
            why = f"; why: {returns.record.why}" if returns.record.why else ""
            return (
                f"an operator{by} sent it back to be decided anew, time {returned.redriven}: "
                f"{reason}{why}"
            )
    until = rfc3339(returned.put_off.not_before / 1000)
    if kind_of(returns) == "look":
        return f"a look at the conversation is planned for {until}; its record waits for it"
    return f"waits in retries until {until}, deferral {returned.put_off.attempt}: {reason}"


def _died(died: Died) -> str:
    letter = died.record.letter
    why = ": ".join(filter(None, (letter.reason, letter.message))) or "no reason given"
    if died.refused:
        return f"the bridge refused it, and kept its bytes: {why}"
    now = {
        LetterStanding.OPEN: "it waits for a redrive",
        LetterStanding.NO_EVENT: "its bytes are no event, so no redrive takes it",
        LetterStanding.NO_SOURCE: "its place in events is not known, so no redrive takes it",
        LetterStanding.NEWER: "a newer release has written it, and has to redrive it",
        LetterStanding.REDRIVEN: "it was redriven since",
        LetterStanding.REPLACED: "a later letter is of the same record",
    }[died.standing]
    return f"dead at the {letter.stage or 'unknown'} stage: {why}; {now}"
