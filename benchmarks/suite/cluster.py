"""The Kafka that all contenders of a run share, and the topics of one trial on it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import click
import msgspec
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from streams.core.records import Source
from streams.kafka.declaration import MIN_IN_SYNC, load_declaration
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.worker.state.table import changelog

# One answer of a broker on a busy machine.
ANSWER_SECONDS = 30.0

POLL_SECONDS = 0.1

# A consumer that gets nothing for so long, of records that are there, never will.
READ_SECONDS = 30.0

BATCH = 10_000

# The broker stamps what it appends, so that a contender that passes the event's time on, as
# quixstreams does, is timed like all others.
STAMPED = {"message.timestamp.type": "LogAppendTime"}


class _Outcome(msgspec.Struct):
    source: Source
    final: bool = True


@dataclass(frozen=True, slots=True)
class Stamped:
    """A record of ``events``, or the outcome of one. ``at``: when the broker got it, in seconds
    since the epoch. ``final``: false for the outcome of an event that was put off."""

    partition: int
    offset: int
    at: float
    key: bytes
    final: bool = True


@dataclass(slots=True)
class Topics:
    """The topics of one trial, under a name that no other trial has."""

    servers: str
    partitions: int
    run: str = field(default_factory=lambda: f"bench-{uuid.uuid4().hex[:8]}")
    _admin: AdminClient = field(init=False)

    def __post_init__(self) -> None:
        # Kept for as long as an answer is waited for: without it the requests are given up.
        self._admin = AdminClient({"bootstrap.servers": self.servers})

    @property
    def names(self) -> TopicNames:
        return TopicNames(f"{self.run}.")

    @property
    def changelog(self) -> str:
        return changelog(self.run)

    def create(self) -> None:
        """The declared topics, with as many partitions as are wanted here."""
        settings = KafkaSettings(
            bootstrap_servers=self.servers,
            topics=self.names,
            app_id=self.run,
            state_ttl_seconds=90_000,
        )
        declaration, names = load_declaration(settings), self.names
        stamped = (names.events, names.outcomes)
        many = {*declaration.as_events, *stamped}
        new = [
            NewTopic(
                each.name,
                self.partitions if each.name in many else each.partitions,
                1,
                config={
                    **each.config,
                    MIN_IN_SYNC: "1",
                    **(STAMPED if each.name in stamped else {}),
                },
            )
            for each in declaration.topics
        ]
        for made in self._admin.create_topics(new).values():
            made.result(ANSWER_SECONDS)
        for topic in (*stamped, self.changelog):
            self.ends(topic)

    def delete(self) -> None:
        """These, and what the contender has made for itself."""
        ours = [name for name in self._admin.list_topics().topics if self.run in name]
        for gone in self._admin.delete_topics(ours).values():
            gone.result(ANSWER_SECONDS)

    def put(
        self,
        topic: str,
        messages: Iterable[tuple[bytes, bytes]],
        *,
        per_second: float | None = None,
    ) -> None:
        """Put messages where their keys belong; ``per_second``: evenly, else as fast as it goes.
        Raises ClickException if one is refused."""
        producer = Producer(
            {
                "bootstrap.servers": self.servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "linger.ms": 20 if per_second is None else 0,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        refused: list[str] = []

        def acknowledged(error: object, _: object) -> None:
            if error is not None:
                refused.append(str(error))

        began = time.monotonic()
        for number, (key, value) in enumerate(messages):
            if per_second is not None:
                time.sleep(max(0.0, began + number / per_second - time.monotonic()))
            while True:
                try:
                    producer.produce(topic, key=key, value=value, on_delivery=acknowledged)
                    break
                except BufferError:  # its queue is full: let it send
                    producer.poll(0.1)
            producer.poll(0)
        producer.flush()
        if refused:
            raise click.ClickException(f"{topic} took not all: {refused[0]}")

    def ends(self, topic: str) -> dict[int, int]:
        """The offset behind the last record of each partition. A partition that is new, or whose
        broker got no turn on a busy machine, has no leader for a moment: it is asked again."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self._ends(topic)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def _ends(self, topic: str) -> dict[int, int]:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the library's one hole
        asked = dict.fromkeys(_at(topic, range(self.partitions)), latest)
        answers = self._admin.list_offsets(asked)
        return {at.partition: end.result(ANSWER_SECONDS).offset for at, end in answers.items()}

    def committed(self) -> dict[int, int]:
        """The group's committed offsets in ``events``; 0 where it has none."""
        asked = _at(self.names.events, range(self.partitions))
        request = ConsumerGroupTopicPartitions(self.run, asked)
        answer = self._admin.list_consumer_group_offsets([request])[self.run]
        offsets = answer.result(ANSWER_SECONDS).topic_partitions
        return {each.partition: max(0, each.offset) for each in offsets}

    def events(self) -> list[Stamped]:
        return [
            Stamped(partition, offset, at, message.key() or b"")
            for message in self.read(self.names.events)
            for partition, offset, at in [_where(message)]
        ]

    def outcomes(self) -> list[Stamped]:
        """Partition and offset are those of the event, the rest is of the outcome; in the order of
        time."""
        decode = msgspec.json.Decoder(_Outcome).decode
        read = []
        for message in self.read(self.names.outcomes):
            outcome, (_, _, at) = decode(message.value() or b""), _where(message)
            partition, offset = outcome.source.partition, outcome.source.offset
            read.append(Stamped(partition, offset, at, message.key() or b"", outcome.final))
        return sorted(read, key=lambda each: each.at)

    def read(self, topic: str) -> Iterator[Message]:
        """All records that are there now."""
        ends = self.ends(topic)
        configuration: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.servers,
            "group.id": f"{self.run}-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
        }
        with closing(Consumer(configuration)) as consumer:
            consumer.assign([TopicPartition(topic, each, 0) for each in ends])
            left, moved = sum(ends.values()), time.monotonic()
            while left > 0:
                batch = consumer.consume(BATCH, timeout=0.2)
                if batch:
                    moved = time.monotonic()
                elif time.monotonic() - moved > READ_SECONDS:
                    raise click.ClickException(f"{left} records of {topic} could not be read")
                for message in batch:
                    if message.error() is not None:
                        raise KafkaException(message.error())
                    yield message
                left -= len(batch)


@contextmanager
def topics(servers: str, partitions: int) -> Iterator[Topics]:
    """Topics that are there while the block runs."""
    made = Topics(servers, partitions)
    made.create()
    try:
        yield made
    finally:
        made.delete()


def missing(ends: Mapping[int, int], outcomes: Iterable[Stamped]) -> tuple[int, int]:
    """How many records of ``events`` have no final outcome, and how many outcomes are not final or
    not the first of their record. Raises ClickException for the outcome of a record that is not
    there."""
    decided: set[tuple[int, int]] = set()
    repeated = 0
    for each in outcomes:
        at = (each.partition, each.offset)
        if each.offset >= ends.get(each.partition, 0):
            raise click.ClickException(f"an outcome of a record that there is not: {at}")
        if not each.final or at in decided:
            repeated += 1
        else:
            decided.add(at)
    return sum(ends.values()) - len(decided), repeated


def _at(topic: str, partitions: Iterable[int]) -> list[TopicPartition]:
    return [TopicPartition(topic, each) for each in partitions]


def _where(message: Message) -> tuple[int, int, float]:
    partition, offset = message.partition(), message.offset()
    if partition is None or offset is None:
        raise KafkaException(message.error())
    return partition, offset, message.timestamp()[1] / 1000
