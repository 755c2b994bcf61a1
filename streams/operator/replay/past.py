"""What the topics say of the past: which calls were over, and what became of each. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from streams.core import decision
from streams.core.conversations.record import ConversationRecord
from streams.core.decision import Fetch, Policy
from streams.core.envelope import InteractionEvent, parse
from streams.core.event import Event
from streams.core.records import Decision, InteractionRecord, Leg, Reason, Source
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import Outcome, outcome_id


@dataclass(frozen=True, slots=True)
class Question:
    """An interaction, or a conversation, that today's rules ask the API about, and the first record
    that makes them ask.

    ``at``: the record's time in Kafka, epoch milliseconds. ``key``, ``value``: as they came.
    ``told``: what all its events have told of a conversation; None for an interaction.
    """

    interaction_id: str
    source: Source
    at: int
    key: bytes | None
    value: bytes
    told: ConversationRecord | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The parts of a final outcome that matter here. ``outcome_id`` shows how often its record had
    been redriven by then."""

    outcome_id: str
    decision: Decision
    reason: Reason


class Reading(Protocol):
    """Collaborator: what a replay makes of an event, in one dialect of the API."""

    @property
    def parse(self) -> Callable[[bytes], Any]:
        """Reads an event; None for one of another detail-type."""
        ...

    def asks(self, event: Any, offset: int) -> bool:
        """Whether today's rules need the API for this event."""
        ...

    def told(self, before: ConversationRecord | None, event: Any) -> ConversationRecord | None:
        """What is known of a conversation with this event; None in a dialect without any."""
        ...


@dataclass(frozen=True, slots=True)
class InteractionsReading:
    """A Reading of ``interactions``."""

    policy: Policy
    parse = staticmethod(parse)

    def asks(self, event: InteractionEvent, offset: int) -> bool:
        """As ``asks``."""
        return asks(event, offset, self.policy)

    def told(self, before: ConversationRecord | None, event: Event) -> None:
        """Nothing: one event says all."""


def asks(event: InteractionEvent, offset: int, policy: Policy) -> bool:
    """Whether today's rules need the API for this event. Order and repetition do not matter: one
    question is enough for an interaction, however many events it has."""
    stranger = InteractionRecord(interaction_id=event.interaction_id)
    return isinstance(decision.begin(stranger, event, offset, policy), Fetch)


class Past:
    """What became of the interactions asked about, and of the legs of conversations. Their outcomes
    are added in order."""

    def __init__(self, questions: Collection[Question]) -> None:
        self._interactions = {each.interaction_id for each in questions}
        self._answers: dict[Source, list[Answered]] = {each.source: [] for each in questions}
        self._legs: defaultdict[str, dict[str, Answered]] = defaultdict(dict)
        self._leg_ids: defaultdict[str, set[str]] = defaultdict(set)
        self._coded: set[str] = set()

    def add(self, outcome: Outcome) -> None:
        if not outcome.final or outcome.interaction_id not in self._interactions:
            return
        answer = Answered(outcome.outcome_id, outcome.decision, outcome.reason)
        if outcome.leg is not None:
            self._legs[outcome.interaction_id][outcome.leg.participant_id] = answer
            self._leg_ids[outcome.interaction_id].add(outcome.outcome_id)
            return
        if outcome.decision is Decision.PATCHED:
            self._coded.add(outcome.interaction_id)
        if outcome.source in self._answers:
            self._answers[outcome.source].append(answer)

    def has_code(self, question: Question) -> bool:
        """Whether the interaction was given a code, or each leg that events tell of was."""
        if question.told is None:
            return question.interaction_id in self._coded
        told = [each for each in question.told.told if each.leg is not None]
        legs = [each.participant_id for each in told if each.talked_ms != 0]
        known = self._legs.get(question.interaction_id, {})
        return bool(legs) and all(
            leg in known and known[leg].decision is Decision.PATCHED for leg in legs
        )

    def latest(self, question: Question, leg: Leg | None = None) -> Answered | None:
        """The last final outcome of the record, or of this leg; None while there is none."""
        if leg is not None:
            return self._legs.get(question.interaction_id, {}).get(leg.participant_id)
        answers = self._answers[question.source]
        return answers[-1] if answers else None

    def next_time(self, question: Question) -> int:
        """The redrive count that the record would be redriven with now, from 1. Each earlier count
        has its final outcome, with an id of its own; and so may a leg of the conversation.

        Once the log was cut, ids have the life of the log in them, which is not known here: of
        those one is of the record itself, and each other one of a redrive.
        """
        own = {each.outcome_id for each in self._answers[question.source]}
        ids = own | self._leg_ids.get(question.interaction_id, set())
        legs = self._legs.get(question.interaction_id, {})

        def taken(times: int) -> bool:
            if outcome_id(question.source, redriven=times) in ids:
                return True
            conversation_id = question.interaction_id
            return any(leg_outcome_id(conversation_id, leg, redriven=times) in ids for leg in legs)

        times = 1
        while taken(times):
            times += 1
        in_a_life = own - {outcome_id(question.source, redriven=each) for each in range(times)}
        return times + max(0, len(in_a_life) - 1)
