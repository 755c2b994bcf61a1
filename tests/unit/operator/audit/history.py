"""The topics as a worker leaves them, step by step, for the judge: values alone, no Kafka."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.core.records import Basis, Decision, Leg, PutOff, Reason, Source
from streams.kafka.settings import TopicNames
from streams.operator.audit.evidence import Evidence
from streams.operator.audit.judge import Facts, Judge
from streams.operator.audit.violation import Violation
from streams.wire.dead_letters import DeadLetter, Stage, read_letter
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import Outcome, outcome_id
from streams.wire.retries import Returned

TOPICS = TopicNames("shop.")
CODE = "code-7"

# 2026-01-05T08:00:00Z.
NOON = 1_767_600_000_000

OUTCOME = Outcome(
    outcome_id="",
    final=True,
    interaction_id=None,
    sequence_id=1,
    event_id=None,
    decision=Decision.INELIGIBLE,
    reason=Reason.NOT_COMPLETED,
    basis=Basis.EVENT,
    dry_run=False,
    disposition_code_id=None,
    patch_status=None,
    recovered=False,
    api_calls=0,
    attempts=0,
    duration_ms=None,
    event_time="",
    decided_at="",
    latency_ms=0,
    end_to_end_ms=0,
    source=Source(TOPICS.events, 0, 0),
    trace_id=None,
    error=None,
)

Place = tuple[int, int]


@dataclass
class Letter:
    """A dead letter; ``source``: None for one of the bridge's."""

    key: bytes | None
    value: bytes | None
    source: Source | None
    redriven: int = 0


@dataclass
class Copy:
    """A record of retries; ``returned``: None for a stranger's."""

    key: bytes | None
    value: bytes | None
    returned: Returned | None


@dataclass
class History:
    """Each topic's partitions, by number, as they lie; ``judged`` events are young enough."""

    events: dict[int, list[tuple[bytes | None, bytes | None]]] = field(default_factory=dict)
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    returns: dict[int, list[Copy]] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    committed_returns: dict[int, int] = field(default_factory=dict)
    begins: dict[int, int] = field(default_factory=dict)
    cut: dict[int, str] = field(default_factory=dict)
    unjudged: set[Place] = field(default_factory=set)
    whole: bool = True

    def event(self, id_: str | None, partition: int = 0) -> Place:
        """A record of that interaction, or of none; its place."""
        lies = self.events.setdefault(partition, [])
        value = None if id_ is None else f"{id_} {len(lies)}".encode()
        lies.append((None if id_ is None else id_.encode(), value))
        return partition, len(lies) - 1

    def outcome(self, place: Place, *, redriven: int = 0, life: str = "", **changes: Any) -> Place:
        """A final outcome of the record; where it lies itself."""
        source = Source(TOPICS.events, *place)
        key, _ = self.events[place[0]][place[1]]
        made = msgspec.structs.replace(
            OUTCOME,
            outcome_id=outcome_id(source, redriven=redriven, life=life),
            interaction_id=None if key is None else key.decode(),
            source=source,
        )
        return self.publish(place[0], msgspec.structs.replace(made, **changes))

    def leg(self, place: Place, participant: str, *, redriven: int = 0, **changes: Any) -> Place:
        """A final outcome of a leg, by the look that the record has brought about."""
        key, _ = self.events[place[0]][place[1]]
        assert key is not None
        own_id = leg_outcome_id(key.decode(), participant, redriven=redriven)
        leg = Leg(participant)
        made: dict[str, Any] = {"outcome_id": own_id, "leg": leg}
        return self.outcome(place, **made | changes)

    def publish(self, partition: int, outcome: Outcome) -> Place:
        lies = self.outcomes.setdefault(partition, [])
        lies.append(outcome)
        return partition, len(lies) - 1

    def put_off(self, place: Place, attempt: int = 1) -> Place:
        """A deferral and its copy; where the copy lies."""
        source = Source(TOPICS.events, *place)
        self.outcome(
            place,
            outcome_id=outcome_id(source, attempt),
            final=False,
            decision=Decision.DEFERRED,
            reason=Reason.SERVER_ERROR,
        )
        return self.copy(place, attempt=attempt)

    def copy(self, place: Place, *, attempt: int = 1, redriven: int = 0) -> Place:
        source = Source(TOPICS.events, *place)
        key, value = self.events[place[0]][place[1]]
        returned = Returned(source, PutOff(attempt, 0), redriven)
        lies = self.returns.setdefault(place[0], [])
        lies.append(Copy(key, value, returned))
        return place[0], len(lies) - 1

    def failed(self, place: Place, *, redriven: int = 0) -> Place:
        """A dead letter, and then the outcome."""
        self.letter(place, redriven=redriven)
        return self.outcome(
            place, redriven=redriven, decision=Decision.FAILED, reason=Reason.FORBIDDEN
        )

    def letter(self, place: Place, *, redriven: int = 0) -> int:
        key, value = self.events[place[0]][place[1]]
        self.letters.append(Letter(key, value, Source(TOPICS.events, *place), redriven))
        return len(self.letters) - 1

    def commit_all(self) -> None:
        """The group is at the end of both topics."""
        self.committed = {partition: len(each) for partition, each in self.events.items()}
        self.committed_returns = {partition: len(each) for partition, each in self.returns.items()}

    def take(self) -> Evidence:
        """All of it, in the order in which it is read."""
        evidence = Evidence(TOPICS, self.cut)
        for partition, outcomes in self.outcomes.items():
            for offset, outcome in enumerate(outcomes):
                evidence.take_outcome(partition, offset, NOON, outcome)
        for offset, each in enumerate(self.letters):
            written = DeadLetter(
                *(each.key, each.value, "forbidden", "give it the scope", Stage.WORKER, 1, ""),
                source=each.source,
                redriven=each.redriven,
            )
            letter = read_letter(0, offset, each.key, each.value, written.headers())
            evidence.take_letter(letter, NOON)
        for partition, copies in self.returns.items():
            for offset, copy in enumerate(copies):
                evidence.take_returned(
                    *(partition, offset, copy.key, copy.value, copy.returned), judged=True
                )
        for partition, events in self.events.items():
            for offset, (key, value) in enumerate(events):
                if offset >= self.begins.get(partition, 0):
                    judged = (partition, offset) not in self.unjudged
                    evidence.take_event(partition, offset, key, value, judged=judged)
        evidence.number_redrives(kept_all=True)
        return evidence

    def facts(self) -> Facts:
        bounds = {
            partition: (self.begins.get(partition, 0), len(each))
            for partition, each in self.events.items()
        }
        return Facts(bounds, self.committed, self.committed_returns, whole=self.whole)


def audited(history: History) -> list[Violation]:
    """What the judge finds."""
    with history.take() as evidence:
        return list(Judge(evidence, history.facts()).violations())


def counted(history: History) -> dict[str, int]:
    """What it counts."""
    with history.take() as evidence:
        return Judge(evidence, history.facts()).counts()


def found(history: History) -> list[tuple[str, str, int, int]]:
    """Kind and place of each violation."""
    return [
        (each.kind.value, each.record.topic, each.record.partition, each.record.offset)
        for each in audited(history)
    ]
