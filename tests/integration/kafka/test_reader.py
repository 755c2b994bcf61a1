"""A topic read without a group, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing

import aiokafka
import aiokafka.errors
import pytest

from streams.errors import KafkaError
from streams.kafka.message import Message
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.reader import read_topic
from streams.kafka.topics import apply_topics, verify_topics
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.support.any_time import take_any_time
from tests.support.raw_records import Codec, RawRecord, batch, produce_raw
from tests.support.workers import eventually

MakeSettings = Callable[..., Settings]

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    made = make_settings()
    apply_topics(made.kafka)
    return made


async def publish(settings: Settings, *records: tuple[str, bytes | None]) -> None:
    publisher = KafkaPublisher(settings.kafka, client_id="test")
    await publisher.start()
    try:
        for key, value in records:
            await publisher.publish(
                Message(settings.topics.outcomes, key=key.encode(), value=value)
            )
    finally:
        await publisher.stop()


async def test_reads_all_there_is_and_ends(settings: Settings) -> None:
    sent = [(f"call-{i % 7}", f"{i}".encode()) for i in range(500)]
    await publish(settings, *sent)
    partitions = verify_topics(settings.kafka).partitions
    topic = settings.topics.outcomes
    read = [record async for record in read_topic(settings.kafka, topic, range(partitions))]
    assert sorted((record.key.decode(), record.value) for record in read) == sorted(sent)
    for key in {key for key, _ in sent}:
        own = [record for record in read if record.key == key.encode()]
        assert [record.value for record in own] == [value for k, value in sent if k == key]
        assert {record.partition for record in own} == {partition_of(key.encode(), partitions)}


async def test_an_empty_topic_ends_at_once(settings: Settings) -> None:
    topic = settings.topics.outcomes
    assert [record async for record in read_topic(settings.kafka, topic, [0, 1])] == []


async def test_follow_goes_on_with_what_comes(settings: Settings) -> None:
    key = "call-1"
    partition = partition_of(key.encode(), verify_topics(settings.kafka).partitions)
    await publish(settings, (key, b"before"))
    topic = settings.topics.outcomes
    async with aclosing(read_topic(settings.kafka, topic, [partition], follow=True)) as records:
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
        _ = [record async for record in read_topic(settings.kafka, settings.topics.outcomes, [0])]


async def test_a_stretch_begins_and_ends_with_times(settings: Settings) -> None:
    topic = settings.topics.outcomes
    partitions = range(verify_topics(settings.kafka).partitions)
    await publish(settings, *((f"call-{i % 7}", b"%d" % i) for i in range(100)))
    whole = [record async for record in read_topic(settings.kafka, topic, partitions)]
    cut = max(record.timestamp for record in whole) + 1
    await eventually(lambda: time.time() * 1000 > cut, 5, "a later millisecond", every=0.001)
    await publish(settings, *((f"call-{i % 7}", b"%d" % i) for i in range(100, 200)))

    async def values(since: int | None = None, until: int | None = None) -> set[int]:
        read = read_topic(settings.kafka, topic, partitions, since=since, until=until)
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
    await asyncio.to_thread(take_any_time, settings, [settings.topics.outcomes])
    """Kafka's times are its producers', and need not rise."""
    await put(settings, *((0, b"%d" % number, at) for number, at in enumerate(TIMES)))

    async def values(since: int | None = None, until: int | None = None) -> list[int]:
        read = read_topic(settings.kafka, settings.topics.outcomes, [0], since=since, until=until)
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
    topic = settings.topics.outcomes
    read = [record.value async for record in read_topic(settings.kafka, topic, [0])]
    assert read == [value for _, value, _ in sent]


BROKEN = {
    "wrong CRC": batch([RawRecord(value=b"bad")], crc_xor=1),
    "no such codec": batch([RawRecord(value=b"bad")], codec=Codec.SIX),
    "not compressed": batch([RawRecord(value=b"bad")], codec=Codec.ZSTD, payload=b"\x1b[31m"),
    "no record": batch([b"\x02\x80"]),
}


async def send(settings: Settings, partition: int, *batches: bytes) -> None:
    await produce_raw(
        settings.kafka_bootstrap_servers, settings.topics.outcomes, partition, batches
    )


def of(value: bytes) -> bytes:
    return batch([RawRecord(value=value, timestamp=NOW)])


@pytest.fixture
def unchecked(settings: Settings) -> Iterator[Settings]:
    """On an embedded broker, always: Apache Kafka takes none of these from a producer."""
    with EmbeddedBroker() as broker:
        made = settings.model_copy(update={"kafka_bootstrap_servers": broker.bootstrap_servers})
        apply_topics(made.kafka)
        yield made


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_record_that_can_not_be_read_is_named_and_the_rest_is_read(
    unchecked: Settings, broken: str
) -> None:
    bad = {0: 3, 2: 0}
    values = {place: [b"%d/%d" % (place, at) for at in range(6)] for place in range(4)}
    for place, sent in values.items():
        batches = [of(value) for value in sent]
        if place in bad:
            batches[bad[place]] = BROKEN[broken]
        await send(unchecked, place, *batches)
    topic, read = unchecked.topics.outcomes, []

    with pytest.raises(KafkaError) as caught:
        async for record in read_topic(unchecked.kafka, topic, range(4)):
            read.append(record.value)

    assert sorted(read) == sorted(
        value for place in values for value in values[place][: bad.get(place)]
    )
    assert all(
        f"cannot read {topic}/{place}/{at}: " in str(caught.value) for place, at in bad.items()
    )
    assert "kafka-dump-log" in str(caught.value)
    assert str(caught.value).isprintable()


async def test_whoever_follows_hears_at_once_of_what_can_not_be_read(unchecked: Settings) -> None:
    await send(unchecked, 0, of(b"good"), BROKEN["wrong CRC"])
    topic, read = unchecked.topics.outcomes, []

    with pytest.raises(KafkaError, match=f"cannot read {topic}/0/1: "):
        async with asyncio.timeout(20):
            async for record in read_topic(unchecked.kafka, topic, [0, 1], follow=True):
                read.append(record.value)

    assert read == [b"good"]


async def test_a_header_name_that_is_no_text_hides_no_record(settings: Settings) -> None:
    await send(settings, 0, batch([RawRecord(value=b"x", headers=((b"\xff", b"1"),))]), of(b"y"))
    topic = settings.topics.outcomes
    read = [record.value async for record in read_topic(settings.kafka, topic, [0])]
    assert read == [b"x", b"y"]
