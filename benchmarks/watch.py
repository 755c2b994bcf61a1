"""What an outsider sees of a worker: its memory, what it has committed, what it has published."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams.core.records import Source
from streams.settings import Settings

# Outcomes read from the client's buffer at once: a look at a busy topic stays one of few calls.
BATCH = 5_000

# One answer of a broker on a busy machine.
ANSWER_SECONDS = 30.0

# A syslog level. The cluster may go before its watcher does; that is no news.
FATAL_ONLY = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes of a process: all of them, and those not backed by a file."""

    resident: int
    anonymous: int

    @classmethod
    def of(cls, pid: int) -> Memory:
        """Raises FileNotFoundError when the process is gone, KeyError when it has just ended."""
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        kib = {name: int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon")}
        return cls(kib["VmRSS"] * 1024, kib["RssAnon"] * 1024)


@dataclass(slots=True)
class Published:
    """Offsets of one source partition that have an outcome. ``below``: all lower ones have."""

    below: int = 0
    _above: set[int] = field(default_factory=set)

    def add(self, offset: int) -> bool:
        """False for an offset that had one already."""
        if offset < self.below or offset in self._above:
            return False
        self._above.add(offset)
        while self.below in self._above:
            self._above.remove(self.below)
            self.below += 1
        return True


@dataclass(frozen=True, slots=True)
class Lie:
    """A committed offset that is past a record without an outcome."""

    partition: int
    committed: int
    unpublished: int


class _Outcome(msgspec.Struct):
    """What the watch reads of an outcome."""

    source: Source
    decision: str
    reason: str


class FrontierWatch:
    """Holds a worker's committed offsets against the outcomes that are there.

    The committed offsets are read first and the outcomes to their end after them, so a record that
    has none by then had none when its offset was committed. The topic begins at offset 0 and
    nothing in it is a transaction's.
    """

    def __init__(self, settings: Settings, partitions: int) -> None:
        servers: dict[str, str | int | float | bool] = {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "log_level": FATAL_ONLY,
        }
        self._group = settings.app_id
        self._events = settings.topics.events
        self._outcomes = settings.topics.outcomes
        self._partitions = range(partitions)
        self._admin = AdminClient(servers)
        self._consumer = Consumer(
            {**servers, "group.id": f"{settings.app_id}-watch", "enable.auto.commit": False}
        )
        self._next = dict.fromkeys(self._partitions, 0)
        self._consumer.assign(self._at(self._outcomes, self._next.items()))
        self._decode = msgspec.json.Decoder(_Outcome).decode
        self.published = {partition: Published() for partition in self._partitions}
        self.decisions: Counter[str] = Counter()
        self.repeated = 0
        """Outcomes of records that had one already."""
        self.committed = 0
        """Sum of the committed offsets at the last look."""
        self.lies: list[Lie] = []

    def close(self) -> None:
        self._consumer.close()

    @property
    def records_published(self) -> int:
        return self.decisions.total()

    def look(self) -> None:
        """Read both, compare, and remember every lie."""
        committed = self._read_committed()
        self._read_outcomes()
        for partition, at in committed.items():
            unpublished = self.published[partition].below
            if at > unpublished:
                self.lies.append(Lie(partition, at, unpublished))
        self.committed = sum(committed.values())

    def _read_committed(self) -> dict[int, int]:
        asked = self._at(self._events, ((partition, None) for partition in self._partitions))
        request = ConsumerGroupTopicPartitions(self._group, asked)
        answer = self._admin.list_consumer_group_offsets([request])[self._group]
        offsets = answer.result(ANSWER_SECONDS).topic_partitions
        return {each.partition: max(0, each.offset) for each in offsets}

    def _read_outcomes(self) -> None:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the library's one hole
        wanted = dict.fromkeys(self._at(self._outcomes, self._next.items()), latest)
        ends = {
            at.partition: end.result(ANSWER_SECONDS).offset
            for at, end in self._admin.list_offsets(wanted).items()
        }
        if unknown := [partition for partition, end in ends.items() if end < 0]:
            raise TimeoutError(f"no end given of partitions {unknown} of {self._outcomes}")
        deadline = time.monotonic() + ANSWER_SECONDS
        while any(self._next[partition] < end for partition, end in ends.items()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"outcomes could not be read up to {ends}, only {self._next}")
            for message in self._consumer.consume(BATCH, timeout=0.2):
                partition, offset, value = message.partition(), message.offset(), message.value()
                if partition is None or offset is None or value is None:
                    raise KafkaException(message.error())
                self._next[partition] = offset + 1
                self._take(self._decode(value))

    def _take(self, outcome: _Outcome) -> None:
        if self.published[outcome.source.partition].add(outcome.source.offset):
            self.decisions[f"{outcome.decision} {outcome.reason}"] += 1
        else:
            self.repeated += 1

    @staticmethod
    def _at(topic: str, offsets: Iterable[tuple[int, int | None]]) -> list[TopicPartition]:
        return [
            TopicPartition(topic, partition)
            if offset is None
            else TopicPartition(topic, partition, offset)
            for partition, offset in offsets
        ]
