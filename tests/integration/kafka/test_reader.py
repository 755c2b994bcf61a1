"""A topic read without a group, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing

import pytest

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
