"""What a worker that has put records off has left in Kafka: written at once, for measurements."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from random import Random

import click
import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, Message, Producer
from confluent_kafka import TopicPartition as At
from confluent_kafka.admin import AdminClient

from benchmarks.failing import event
from streams.core.records import PutOff, Reason, Source
from streams.kafka.connection import librdkafka_options
from streams.kafka.message import Headers
from streams.settings import Settings
from streams.wire.retries import retry_headers
from tests.support.oracle import committed
from tests.support.workers import eventually

# An outage's records, after an hour of it: the eighth deferral takes half an hour to one.
ATTEMPT = 8

# In memory at a time.
CHUNK = 50_000

# A cluster that has just been started, and one answer of it.
START_SECONDS = 60.0
ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Records put off one behind the other. ``due``: epoch seconds, earliest and latest."""

    name: str
    records: int
    due: tuple[float, float]

    @property
    def ids(self) -> list[str]:
        return [f"{self.name}{number}" for number in range(self.records)]


class Loader:
    """Writes deferrals and their sources, each source in the partition of its key."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._random = Random(5)
        self._producer = Producer(
            {
                **librdkafka_options(settings.kafka),
                "enable.idempotence": True,
                "linger.ms": 20,
                "queue.buffering.max.messages": 2 * CHUNK,
            }
        )
        self._places: dict[str, tuple[int, int]] = {}
        self._ends: dict[int, int] = {}

    def put(self, batch: Batch) -> dict[str, float]:
        """Write them, and their sources; gives when each is due, epoch seconds."""
        not_before = {}
        ids = batch.ids
        for first in range(0, len(ids), CHUNK):
            names = ids[first : first + CHUNK]
            for name in names:
                self._producer.produce(
                    self._settings.topics.events, self.event(name), name, on_delivery=self._source
                )
                self._producer.poll(0)
            self._flush()
            for name in names:
                not_before[name] = self._random.uniform(*batch.due)
                self._put_off(name, not_before[name])
            self._flush()
            self._places.clear()
        return not_before

    async def commit(self) -> None:
        """The group has finished the sources."""
        admin = AdminClient(librdkafka_options(self._settings.kafka))
        group = self._settings.app_id

        def accepted() -> bool:
            # A new cluster has no coordinator for the group yet, and says so for each partition.
            at = [At(self._settings.topics.events, each, end) for each, end in self._ends.items()]
            asked = [ConsumerGroupTopicPartitions(group, at)]
            answer = admin.alter_consumer_group_offsets(asked)[group].result(ANSWER_SECONDS)
            return all(each.error is None for each in answer.topic_partitions)

        await eventually(lambda: asyncio.to_thread(accepted), START_SECONDS, "it is committed")
        there = await committed(self._settings, self._settings.topics.events)
        assert there == self._ends, f"committed {there}, not {self._ends}"

    def event(self, name: str) -> bytes:
        """What was put off."""
        return _body(name)

    def put_off(self, name: str, source: Source, due: float) -> None:
        """Write all that a worker writes for it."""
        self.copy(name, source, PutOff(ATTEMPT, round(due * 1000)), Reason.SERVER_ERROR)

    def copy(self, name: str, source: Source, put_off: PutOff, reason: Reason) -> None:
        """Write the copy that comes back."""
        headers = list(retry_headers(source, put_off, reason.value))
        self.write(self._settings.topics.retries, name, self.event(name), source, headers)

    def write(
        self, topic: str, name: str, value: bytes, source: Source, headers: Headers = ()
    ) -> None:
        """Into the partition of its source."""
        self._producer.produce(
            topic,
            value,
            name,
            source.partition,
            on_delivery=_acknowledged,
            headers=list(headers),
        )
        self._producer.poll(0)

    def _put_off(self, name: str, due: float) -> None:
        partition, offset = self._places[name]
        self.put_off(name, Source(self._settings.topics.events, partition, offset), due)

    def _source(self, error: KafkaError | None, message: Message) -> None:
        _acknowledged(error, message)
        partition, offset, key = message.partition(), message.offset(), message.key()
        assert partition is not None
        assert offset is not None
        assert key is not None
        self._places[key.decode()] = (partition, offset)
        self._ends[partition] = max(self._ends.get(partition, 0), offset + 1)

    def _flush(self) -> None:
        if left := self._producer.flush(ANSWER_SECONDS):
            raise click.ClickException(f"{left} records were not acknowledged")


def _acknowledged(error: KafkaError | None, _: Message) -> None:
    if error is not None:
        raise click.ClickException(f"a record was refused: {error}")


def _body(name: str) -> bytes:
    """An event as long as Genesys Cloud's are."""
    around = {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "source": "aws.partner/genesys.com/cloud/5e1f0a52-3b7c-4d0a-9c53-6d6f4a0b7c11/streams",
        "account": "111122223333",
        "time": "2026-01-05T10:01:00.000Z",
        "region": "eu-central-1",
        "resources": [],
    }
    return msgspec.json.encode({**around, **msgspec.json.decode(event(name))})
