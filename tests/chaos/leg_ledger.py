"""What the topics hold of conversations and their legs."""

from __future__ import annotations

from collections import Counter, defaultdict

import msgspec

from streams.local.conversations.rights import LegKey
from tests.chaos.ledger import Answer, Ledger, Outcome
from tests.support.oracle import Place, Record

# Reasons that a record is told the moment it is taken up, so in the order of the records. One that
# waits for a look is told after it, and later records of its conversation before.
AT_ONCE = frozenset({"look-joined", "duplicate-event", "event-not-needed"})


class _Body(msgspec.Struct, rename="camel", gc=False):
    conversation_id: str
    event_time: int
    participant_id: str | None = None
    session_id: str | None = None
    media_type: str | None = None


class _Detail(msgspec.Struct, rename="camel"):
    event_body: _Body


class _Envelope(msgspec.Struct, rename={"detail_type": "detail-type"}):
    id: str
    detail_type: str
    detail: _Detail


class LegEvent(msgspec.Struct, frozen=True, gc=False):
    """What decides on an event of a conversation, of what lies in the topic."""

    id: str
    name: str
    conversation_id: str
    participant_id: str | None
    session_id: str | None
    at_ms: int
    medium: str | None

    @property
    def identities(self) -> tuple[tuple[object, ...], ...]:
        """Two events are the same one when they share one of these (contract)."""
        content = (
            *(self.name, self.conversation_id, self.participant_id, self.session_id),
            self.at_ms,
        )
        return (self.id,), content


_decode = msgspec.json.Decoder(_Envelope).decode


class LegLedger(Ledger[LegEvent]):
    """That of conversations. A record is finished once it has its outcome, or once its copy is in
    the retries topic: there it waits for the look at its conversation."""

    def __init__(self, *, fenced: bool) -> None:
        super().__init__(fenced=fenced)
        self.legs: dict[LegKey, Answer] = {}
        """The first final outcome of each leg."""
        self.differing_legs: defaultdict[LegKey, set[Answer]] = defaultdict(set)
        self.decided_by: dict[LegKey, Place] = {}
        """The source record whose look, says the outcome, decided the leg."""
        self._last_copy: dict[Place, Place] = {}
        """Where in the retries topic the latest copy of a source record lies."""

    @property
    def told(self) -> int:
        return super().told + len(self.legs)

    @property
    def decisions(self) -> Counter[str]:
        of_legs = (f"leg {one.decision}/{one.reason}" for one in self.legs.values())
        return super().decisions + Counter(of_legs)

    def read_event(self, value: bytes) -> tuple[str, LegEvent]:
        envelope = _decode(value)
        body = envelope.detail.event_body
        event = LegEvent(
            envelope.id,
            envelope.detail_type.rpartition("}.")[2],
            body.conversation_id,
            body.participant_id,
            body.session_id,
            body.event_time,
            body.media_type and body.media_type.lower(),
        )
        return envelope.id, event

    def take_return(self, record: Record) -> None:
        super().take_return(record)
        place = (record.partition, record.offset)
        source, _ = self.returning[place]
        self.finished.add(source)
        self._last_copy[source] = place

    def _enter(self, outcome: Outcome) -> None:
        if outcome.leg is None:
            super()._enter(outcome)
        elif outcome.final:
            self._enter_leg((outcome.interaction_id or "", outcome.leg.participant_id), outcome)
        else:
            self.put_off_ids.add(outcome.outcome_id)

    def _enter_leg(self, key: LegKey, outcome: Outcome) -> None:
        answer = outcome.answer
        if outcome.recovered:
            self.recovered.add(key)
        first = self.legs.setdefault(key, answer)
        if first is answer:
            self.decided_by[key] = outcome.place
            return
        self.repeated += 1
        if first != answer:
            self.differing_legs[key] |= {first, answer}

    def _comes_in_order(self, place: Place, answer: Answer) -> bool:
        return answer.reason in AT_ONCE

    def _decided_since(self, at: Place, source: Place, attempt: int) -> bool:
        """Whether a copy after this one waits in its stead."""
        return self._last_copy[source] > at
