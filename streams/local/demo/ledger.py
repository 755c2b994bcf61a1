"""What the demo has seen so far: the events it sent, the records and outcomes it read in Kafka."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from streams.wire.outcomes import Outcome, decode_outcome

Place = tuple[int, int]
"""Partition and offset of a record in the events topic."""

Answer = tuple[str, str]
"""What an outcome says: decision and reason."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One event as it is in Kafka. ``timestamp_ms``: when the bridge put it there."""

    event: Mapping[str, Any]
    timestamp_ms: int

    @property
    def interaction_id(self) -> str:
        return str(self.event["detail"]["interactionId"])

    @property
    def event_id(self) -> str:
        return str(self.event["id"])


@dataclass(frozen=True, slots=True)
class PublishedOutcome:
    """One outcome as it is in Kafka. ``timestamp_ms``: when the worker put it there."""

    outcome: Outcome
    timestamp_ms: int


@dataclass(slots=True)
class Ledger:
    """Filled while the demo runs, judged when it is over.

    ``sent``: the id of every event handed out for the bridge; the id of a duplicate is there more
    than once. ``final``: final outcomes by the place of their record; there should be one for each.
    ``answers``: the number of final outcomes by decision and reason.
    """

    sent: list[str] = field(default_factory=list)
    records: dict[Place, SourceRecord] = field(default_factory=dict)
    final: defaultdict[Place, list[PublishedOutcome]] = field(
        default_factory=lambda: defaultdict(list)
    )
    answers: Counter[Answer] = field(default_factory=Counter)

    def read_event(self, place: Place, value: bytes, timestamp_ms: int) -> None:
        """Enter a record of the events topic."""
        self.records[place] = SourceRecord(msgspec.json.decode(value), timestamp_ms)

    def read_outcome(self, value: bytes, timestamp_ms: int) -> None:
        """Enter a record of the outcomes topic."""
        self.enter(PublishedOutcome(decode_outcome(value), timestamp_ms))

    def enter(self, published: PublishedOutcome) -> None:
        """Enter an outcome; one that is not final is ignored."""
        outcome = published.outcome
        if outcome.final:
            self.final[outcome.source.partition, outcome.source.offset].append(published)
            self.answers[outcome.decision, outcome.reason] += 1

    @property
    def complete(self) -> bool:
        """Whether every record in Kafka has a final outcome."""
        return self.records.keys() <= self.final.keys()

    def latencies_ms(self) -> list[int]:
        """The time from an event's arrival in Kafka to that of its outcome, for each event that has
        one."""
        return [
            published[0].timestamp_ms - self.records[place].timestamp_ms
            for place, published in self.final.items()
            if place in self.records
        ]


class Book(Protocol):
    """A demo's ledger, of whatever dialect, as those see it who fill it and show it."""

    @property
    def sent(self) -> Sequence[str]: ...

    @property
    def final(self) -> Mapping[Place, Sequence[object]]: ...

    @property
    def answers(self) -> Counter[Answer]: ...

    def read_event(self, place: Place, value: bytes, timestamp_ms: int) -> None: ...

    def read_outcome(self, value: bytes, timestamp_ms: int) -> None: ...

    def latencies_ms(self) -> Sequence[int]: ...


@dataclass(slots=True)
class Readings:
    """The last readings of the running parts. ``api``: answers of the API by route and status."""

    api: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles in milliseconds; None while there are no values."""

    p50: int | None
    p95: int | None
    p99: int | None

    @classmethod
    def of(cls, values: Sequence[int]) -> Percentiles:
        """By nearest rank: every percentile is a value that was really measured."""
        if not values:
            return cls(None, None, None)
        ranked = sorted(values)
        p50, p95, p99 = (ranked[math.ceil(len(ranked) * share / 100) - 1] for share in (50, 95, 99))
        return cls(p50, p95, p99)
