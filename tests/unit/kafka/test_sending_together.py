"""Records that are queued together: whole batches, in their order, all of them or none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, ProducerClosed, TopicAuthorizationFailedError
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.record.default_records import DefaultRecordBatch

from streams.errors import OwnershipLost, PublishError, RecordTooLarge, WriteRefused
from streams.kafka.fence import FenceableProducer, Fenced
from streams.kafka.message import Message
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import AcknowledgedRun, KafkaPublisher
from streams.settings import Settings
from tests.support.event_loop import until_idle

MakeSettings = Callable[..., Settings]

PARTITIONS = 12
BATCH_BYTES = 1_000


class Queueing:
    """A producer without a broker, whose queue a test looks into."""

    def __init__(self) -> None:
        self.producer = FenceableProducer(
            may_send=lambda: True,
            bootstrap_servers="127.0.0.1:1",
            enable_idempotence=False,
            max_batch_size=BATCH_BYTES,
        )
        self.known = asyncio.Event()
        self.known.set()
        client: Any = self.producer.client
        client._wait_on_metadata = self._wait_on_metadata
        client.cluster.partitions_for_topic = lambda topic: set(range(PARTITIONS))
        client.cluster.available_partitions_for_topic = lambda topic: set(range(PARTITIONS))

    async def _wait_on_metadata(self, topic: str) -> None:
        await self.known.wait()

    @property
    def batches(self) -> dict[TopicPartition, list[MessageBatch]]:
        queued = self.producer._message_accumulator._batches
        return {place: list(batches) for place, batches in queued.items() if batches}

    def values(self, partition: int, topic: str = "outcomes") -> list[list[bytes | None]]:
        """What the partition's batches hold, as a broker would read it."""
        return [
            [record.value for record in DefaultRecordBatch(bytes(batch.get_data_buffer()))]
            for batch in self.batches.get(TopicPartition(topic, partition), [])
        ]


@pytest.fixture
async def queueing() -> AsyncIterator[Queueing]:
    queueing = Queueing()
    yield queueing
    await queueing.producer.stop()


def message(
    value: bytes | None, *, key: bytes | None = b"i-1", partition: int | None = None
) -> Message:
    return Message(
        "outcomes", key=key, value=value, headers=(("name", b"value"),), partition=partition
    )


async def test_those_of_one_partition_are_one_batch_in_their_order(queueing: Queueing) -> None:
    runs = await queueing.producer.send_all(
        [message(b"one", partition=3), message(b"two", partition=4), message(b"three", partition=3)]
    )

    assert queueing.values(3) == [[b"one", b"three"]]
    assert queueing.values(4) == [[b"two"]]
    assert [[each.value for each in run] for run, _ in runs] == [[b"one", b"three"], [b"two"]]


async def test_a_batch_that_is_full_is_followed_by_another(queueing: Queueing) -> None:
    values = [b"%03d" % number + b"x" * 300 for number in range(8)]

    runs = await queueing.producer.send_all([message(value, partition=3) for value in values])

    queued = queueing.values(3)
    assert len(queued) > 2
    assert [value for batch in queued for value in batch] == values
    assert [[each.value for each in run] for run, _ in runs] == queued
    sizes = [batch._builder.size() for batch in queueing.batches[TopicPartition("outcomes", 3)]]
    assert max(sizes) <= BATCH_BYTES


async def test_one_larger_than_a_batch_has_one_of_its_own(queueing: Queueing) -> None:
    values = [b"small", b"x" * 3 * BATCH_BYTES, b"last"]

    await queueing.producer.send_all([message(value, partition=3) for value in values])

    assert queueing.values(3) == [[each] for each in values]


async def test_a_key_has_its_place_and_what_has_none_goes_anywhere(queueing: Queueing) -> None:
    keys = [b"i-%d" % number for number in range(50)]

    await queueing.producer.send_all([message(key, key=key) for key in keys])
    await queueing.producer.send_all([message(b"no key", key=None)])

    for place in range(PARTITIONS):
        (held, *_) = queueing.values(place) or [[]]
        assert [value for value in held if value != b"no key"] == [
            key for key in keys if partition_of(key, PARTITIONS) == place
        ]
    assert sum(values.count(b"no key") for place in range(PARTITIONS)
               for values in queueing.values(place)) == 1  # fmt: skip


async def test_a_batch_keeps_key_and_headers(queueing: Queueing) -> None:
    await queueing.producer.send_all([message(None, partition=3)])

    (batch,) = queueing.batches[TopicPartition("outcomes", 3)]
    (record,) = DefaultRecordBatch(bytes(batch.get_data_buffer()))
    assert (record.key, record.value, record.headers) == (b"i-1", None, [("name", b"value")])


async def test_what_is_sent_alone_comes_behind_what_was_sent_together(queueing: Queueing) -> None:
    """As soon as that has left: its batch is closed, so that it need not linger."""
    await queueing.producer.send_all([message(b"one", partition=3)])
    place = TopicPartition("outcomes", 3)
    accumulator = queueing.producer._message_accumulator
    alone = asyncio.create_task(accumulator.add_message(place, b"i-1", b"two", timeout=5))
    await until_idle()
    assert queueing.values(3) == [[b"one"]]

    accumulator._batches[place].popleft().drain_ready()
    await until_idle()

    assert alone.done()
    assert queueing.values(3) == [[b"two"]]


async def test_a_future_gives_the_place_of_the_first_of_its_run(queueing: Queueing) -> None:
    ((_, sent),) = await queueing.producer.send_all(
        [message(b"one", partition=3), message(b"two", partition=3)]
    )
    (batch,) = queueing.batches[TopicPartition("outcomes", 3)]

    batch.done(base_offset=41)

    assert ((await sent).partition, (await sent).offset) == (3, 41)


async def test_a_fenced_producer_takes_none(queueing: Queueing) -> None:
    queueing.known.clear()
    sending = asyncio.create_task(queueing.producer.send_all([message(b"one")]))
    await until_idle()
    queueing.producer.fence()
    queueing.known.set()

    with pytest.raises(Fenced):
        await asyncio.wait_for(sending, 5)
    assert queueing.batches == {}


async def test_a_fence_fails_what_is_queued_together(queueing: Queueing) -> None:
    runs = await queueing.producer.send_all(
        [message(b"one", partition=3), message(b"two", partition=4)]
    )

    queueing.producer.fence()

    for _, sent in runs:
        with pytest.raises(Fenced):
            await sent


async def test_a_producer_that_is_closed_meanwhile_takes_none() -> None:
    queueing = Queueing()
    queueing.known.clear()
    sending = asyncio.create_task(queueing.producer.send_all([message(b"one")]))
    await until_idle()
    await queueing.producer.stop()
    queueing.known.set()

    with pytest.raises(ProducerClosed):
        await asyncio.wait_for(sending, 5)
    assert queueing.batches == {}


# What the publisher makes of it


@pytest.fixture
def publisher(queueing: Queueing, make_settings: MakeSettings) -> KafkaPublisher:
    publisher = KafkaPublisher(make_settings().kafka, client_id="test")
    publisher._producer = queueing.producer
    return publisher


def ended(queueing: Queueing, partition: int) -> MessageBatch:
    (batch,) = queueing.batches[TopicPartition("outcomes", partition)]
    return batch


async def queued(publisher: KafkaPublisher) -> Sequence[asyncio.Future[AcknowledgedRun]]:
    return await publisher.enqueue_all(
        [message(b"one", partition=3), message(b"two", partition=4), message(b"three", partition=3)]
    )


async def test_each_run_is_acknowledged_with_its_records(
    queueing: Queueing, publisher: KafkaPublisher
) -> None:
    first, second = await queued(publisher)
    ended(queueing, 4).done(base_offset=7)
    assert await second == AcknowledgedRun(4, 7, [message(b"two", partition=4)])
    assert not first.done()

    ended(queueing, 3).done(base_offset=41)

    run = await first
    assert (run.partition, run.offset) == (3, 41)
    assert [each.value for each in run.messages] == [b"one", b"three"]


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (MessageSizeTooLargeError(), RecordTooLarge),
        (TopicAuthorizationFailedError(), WriteRefused),
        (ProducerClosed(), PublishError),
    ],
)
async def test_a_run_that_is_refused_says_why(
    queueing: Queueing,
    publisher: KafkaPublisher,
    failure: Exception,
    error: type[PublishError],
) -> None:
    first, second = await queued(publisher)
    ended(queueing, 3).failure(failure)
    ended(queueing, 4).done(base_offset=7)

    with pytest.raises(error, match="outcomes"):
        await first
    assert (await second).offset == 7


async def test_a_fence_leaves_none_of_them_in_doubt(publisher: KafkaPublisher) -> None:
    runs = await queued(publisher)

    publisher.fence()

    for run in runs:
        with pytest.raises(OwnershipLost, match="not sent"):
            await run


async def test_a_fence_while_they_are_queued_is_no_error_of_kafkas(
    queueing: Queueing, publisher: KafkaPublisher
) -> None:
    queueing.known.clear()
    sending = asyncio.create_task(queued(publisher))
    await until_idle()
    publisher.fence()
    queueing.known.set()

    with pytest.raises(OwnershipLost, match="not sent"):
        await asyncio.wait_for(sending, 5)


async def test_a_publisher_that_is_stopped_takes_none(make_settings: MakeSettings) -> None:
    publisher = KafkaPublisher(make_settings().kafka, client_id="test")

    with pytest.raises(PublishError, match="not started"):
        await publisher.enqueue_all([message(b"one")])
