"""What the topics say of the past: which calls were over, and what became of each. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from streams.core import decision
from streams.core.decision import Fetch, Policy
from streams.core.envelope import InteractionEvent
from streams.core.records import Decision, InteractionRecord, Reason, Source
from streams.wire.outcomes import Outcome, outcome_id


@dataclass(frozen=True, slots=True)
class Question:
    """An interaction that today's rules ask the API about, and the first record that makes them
    ask.

    ``at``: the record's time in Kafka, epoch milliseconds. ``key``, ``value``: as they came.
    """

    interaction_id: str
    source: Source
    at: int
    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The parts of a final outcome that matter here. ``outcome_id`` shows how often its record had
    been redriven by then."""

    outcome_id: str
    decision: Decision
    reason: Reason


def asks(event: InteractionEvent, offset: int, policy: Policy) -> bool:
    """Whether today's rules need the API for this event. Order and repetition do not matter: one
    question is enough for an interaction, however many events it has."""
    stranger = InteractionRecord(interaction_id=event.interaction_id)
    return isinstance(decision.begin(stranger, event, offset, policy), Fetch)


class Past:
    """What became of the interactions asked about. Their outcomes are added in order."""

    def __init__(self, questions: Collection[Question]) -> None:
        self._interactions = {each.interaction_id for each in questions}
        self._answers: dict[Source, list[Answered]] = {each.source: [] for each in questions}
        self.coded: set[str] = set()
        """Interactions that were given a code."""

    def add(self, outcome: Outcome) -> None:
        if not outcome.final or outcome.interaction_id not in self._interactions:
            return
        if outcome.decision is Decision.PATCHED:
            self.coded.add(outcome.interaction_id)
        if outcome.source in self._answers:
            answer = Answered(outcome.outcome_id, outcome.decision, outcome.reason)
            self._answers[outcome.source].append(answer)

    def latest(self, question: Question) -> Answered | None:
        """The last final outcome of the record; None while there is none."""
        answers = self._answers[question.source]
        return answers[-1] if answers else None

    def next_time(self, question: Question) -> int:
        """The redrive count that the record would be redriven with now, from 1. Each earlier count
        has its final outcome, with an id of its own."""
        ids = {each.outcome_id for each in self._answers[question.source]}
        times = 1
        while outcome_id(question.source, redriven=times) in ids:
            times += 1
        return times
