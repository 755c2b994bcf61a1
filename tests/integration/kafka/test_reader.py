"""A topic read without a group, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import aiokafka
import aiokafka.errors
import pytest
from aiokafka.consumer.fetcher import PartitionRecords

from streams.errors import KafkaError
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.reader import partition_of, read_topic
from streams.kafka.topics import apply_topics, verify_topics
from streams.settings import Settings
from tests.workers import eventually

MakeSettings = Callable[..., Settings]

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    made = make_settings()
    apply_topics(made)
    return made


async def publish(settings: Settings, *records: tuple[str, bytes | None]) -> None:
    publisher = KafkaPublisher(settings, client_id="test")
    await publisher.start()
    try:
        for key, value in records:
            await publisher.publish(settings.topics.outcomes, key=key.encode(), value=value)
    finally:
        await publisher.stop()


async def test_reads_all_there_is_and_ends(settings: Settings) -> None:
    sent = [(f"call-{i % 7}", f"{i}".encode()) for i in range(500)]
    await publish(settings, *sent)
    partitions = verify_topics(settings).partitions
    read = [
        record async for record in read_topic(settings, settings.topics.outcomes, range(partitions))
    ]
    assert sorted((record.key.decode(), record.value) for record in read) == sorted(sent)
    for key in {key for key, _ in sent}:
        own = [record for record in read if record.key == key.encode()]
        assert [record.value for record in own] == [value for k, value in sent if k == key]
        assert {record.partition for record in own} == {partition_of(key.encode(), partitions)}


async def test_an_empty_topic_ends_at_once(settings: Settings) -> None:
    assert [record async for record in read_topic(settings, settings.topics.outcomes, [0, 1])] == []


async def test_follow_goes_on_with_what_comes(settings: Settings) -> None:
    key = "call-1"
    partition = partition_of(key.encode(), verify_topics(settings).partitions)
    await publish(settings, (key, b"before"))
    topic = settings.topics.outcomes
    async with aclosing(read_topic(settings, topic, [partition], follow=True)) as records:
        async with asyncio.timeout(20):
            assert (await anext(records)).value == b"before"
            await publish(settings, (key, b"after"), (key, None))
            assert (await anext(records)).value == b"after"
            assert (await anext(records)).value is None


async def test_a_broker_that_is_not_there_is_an_error(
    make_settings: MakeSettings, unused_tcp_port: int
) -> None:
    settings = make_settings(kafka_bootstrap_servers=f"127.0.0.1:{unused_tcp_port}")
    with pytest.raises(KafkaError, match="cannot read"):
        _ = [record async for record in read_topic(settings, settings.topics.outcomes, [0])]


async def test_a_stretch_begins_and_ends_with_times(settings: Settings) -> None:
    topic = settings.topics.outcomes
    partitions = range(verify_topics(settings).partitions)
    await publish(settings, *((f"call-{i % 7}", b"%d" % i) for i in range(100)))
    whole = [record async for record in read_topic(settings, topic, partitions)]
    cut = max(record.timestamp for record in whole) + 1
    await eventually(lambda: time.time() * 1000 > cut, 5, "a later millisecond", every=0.001)
    await publish(settings, *((f"call-{i % 7}", b"%d" % i) for i in range(100, 200)))

    async def values(since: int | None = None, until: int | None = None) -> set[int]:
        read = read_topic(settings, topic, partitions, since=since, until=until)
        return {int(record.value) async for record in read}

    assert await values(since=cut) == set(range(100, 200))
    assert await values(until=cut) == set(range(100))
    assert await values(since=0, until=cut) == set(range(100))
    assert await values(since=cut + 3_600_000) == set()


async def put(
    settings: Settings, *records: tuple[int, bytes, int], codec: str | None = None
) -> None:
    """Partition, value, time."""
    async with aiokafka.AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers, compression_type=codec, linger_ms=50
    ) as producer:
        sent = [
            await producer.send(
                settings.topics.outcomes, value, partition=partition, timestamp_ms=at
            )
            for partition, value, at in records
        ]
        await asyncio.gather(*sent)


NOW = 1_767_600_000_000
TIMES = [-(2**63), -1, NOW, 2**62, NOW + 1, 2**63 - 1, NOW + 2]


async def test_a_record_of_any_time_hides_neither_itself_nor_another(settings: Settings) -> None:
    """Kafka's times are its producers', and need not rise."""
    await put(settings, *((0, b"%d" % number, at) for number, at in enumerate(TIMES)))

    async def values(since: int | None = None, until: int | None = None) -> list[int]:
        read = read_topic(settings, settings.topics.outcomes, [0], since=since, until=until)
        return [int(record.value) async for record in read]

    assert await values() == list(range(len(TIMES)))
    assert await values(since=-(2**63)) == list(range(len(TIMES)))
    assert await values(since=NOW) == [2, 3, 4, 5, 6]
    assert await values(since=NOW, until=NOW + 2) == [2, 4]
    assert await values(until=0) == [0, 1]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_is_read(settings: Settings, codec: str) -> None:
    sent = [(0, b"%d" % number, NOW) for number in range(50)]
    await put(settings, *sent, codec=codec)
    read = [record.value async for record in read_topic(settings, settings.topics.outcomes, [0])]
    assert read == [value for _, value, _ in sent]


FAULTS = [
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    aiokafka.errors.CorruptRecordException("Invalid CRC"),
    aiokafka.errors.UnsupportedCodecError("Libraries for zstd compression codec not found"),
    ValueError("\x1b[31m\n"),
]


def unread(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """aiokafka's reading raises that for a record whose value is ``bad``."""
    readable = PartitionRecords._consumer_record

    def read(self: Any, place: Any, record: Any) -> Any:
        if record.value == b"bad":
            raise fault
        return readable(self, place, record)

    monkeypatch.setattr(PartitionRecords, "_consumer_record", read)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_a_record_that_can_not_be_read_is_named_and_the_rest_is_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    bad = {0: 3, 2: 0}
    values = {
        place: [b"bad" if bad.get(place) == at else b"%d/%d" % (place, at) for at in range(6)]
        for place in range(4)
    }
    await put(settings, *((place, value, NOW) for place in values for value in values[place]))
    unread(monkeypatch, fault)
    topic, read = settings.topics.outcomes, []

    with pytest.raises(KafkaError) as told:
        async for record in read_topic(settings, topic, range(4)):
            read.append(record.value)

    assert sorted(read) == sorted(
        value for place in values for value in values[place][: bad.get(place)]
    )
    assert all(
        f"cannot read {topic}/{place}/{at}: " in str(told.value) for place, at in bad.items()
    )
    cure = "install" if isinstance(fault, aiokafka.errors.UnsupportedCodecError) else "kafka-delete"
    assert cure in str(told.value)
    assert str(told.value).isprintable()


async def test_whoever_follows_is_told_at_once_of_what_can_not_be_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(settings, (0, b"good", NOW), (0, b"bad", NOW))
    unread(monkeypatch, FAULTS[0])
    topic, read = settings.topics.outcomes, []

    with pytest.raises(KafkaError, match=f"cannot read {topic}/0/1: "):
        async with asyncio.timeout(20):
            async for record in read_topic(settings, topic, [0, 1], follow=True):
                read.append(record.value)

    assert read == [b"good"]
