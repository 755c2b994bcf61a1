"""A real aiokafka consumer on a broker, whatever is in the topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import aiokafka
import pytest
from aiokafka import TopicPartition

from streams.kafka.decoding import Unreadable
from streams.kafka.fetching import read_on
from streams.kafka.topics import apply_topics
from streams.kafka.unreadable import unreadable_source
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.support.raw_records import CONTROL, Codec, RawRecord, batch, produce_raw

ANSWER_SECONDS = 10.0


class Reading:
    """What came, and what was reported."""

    def __init__(self) -> None:
        self.reported: list[tuple[TopicPartition, Unreadable, list[int]]] = []
        self.values: list[tuple[int, bytes | None]] = []
        self.heard = asyncio.Event()

    def hear(self, place: TopicPartition, lost: Unreadable, unnamed: Sequence[int]) -> None:
        self.reported.append((place, lost, list(unnamed)))
        self.heard.set()


@pytest.fixture
async def settings(make_settings: Callable[..., Settings]) -> AsyncIterator[Settings]:
    """On an embedded broker, always: Apache Kafka takes most of this from no producer."""
    with EmbeddedBroker() as broker:
        made = make_settings(kafka_bootstrap_servers=broker.bootstrap_servers)
        await asyncio.to_thread(apply_topics, made.kafka)
        yield made


async def read(
    settings: Settings, batches: list[bytes], expected: int, skipped: Sequence[int] = ()
) -> Reading:
    """Put them into partition 1 and read so many records from there."""
    topic = settings.topics.events
    await produce_raw(settings.kafka_bootstrap_servers, topic, 1, batches)
    reading, place = Reading(), TopicPartition(topic, 1)
    async with aiokafka.AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers, enable_auto_commit=False
    ) as consumer:
        read_on(consumer, reading.hear, {(topic, 1, offset) for offset in skipped})
        consumer.assign([place])
        consumer.seek(place, 0)
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(reading.values) < expected or not (
                reading.heard.is_set()
                or await consumer.position(place) == consumer.highwater(place)
            ):
                found = await consumer.getmany(timeout_ms=100)
                reading.values += [(each.offset, each.value) for each in found.get(place, [])]
            await consumer.getmany(timeout_ms=100)  # and once more: it is reported once
    return reading


def one(value: bytes) -> bytes:
    return batch([RawRecord(value=value)])


async def test_an_odd_header_name_and_every_codec(settings: Settings) -> None:
    odd = RawRecord(value=b"odd", headers=((b"\xff\xfe", b"x"),))
    made = [batch([odd], codec=codec) for codec in Codec if codec.is_known]
    reading = await read(settings, [one(b"first"), *made, one(b"last")], 7)
    assert [value for _, value in reading.values] == [b"first", *[b"odd"] * 5, b"last"]
    assert reading.reported == []


async def test_it_stands_still_before_what_can_not_be_read(settings: Settings) -> None:
    bad = batch([RawRecord(), RawRecord()], crc_xor=1)
    reading = await read(settings, [one(b"0"), bad, one(b"3")], 1)
    assert reading.values == [(0, b"0")]
    ((place, lost, unnamed),) = reading.reported
    assert (place.partition, lost.first, lost.last, unnamed) == (1, 1, 2, [1, 2])


async def test_part_of_it_named_is_not_enough(settings: Settings) -> None:
    bad = batch([RawRecord(), RawRecord()], codec=Codec.SEVEN)
    reading = await read(settings, [one(b"0"), bad, one(b"3")], 1, skipped=[1])
    assert reading.values == [(0, b"0")]
    ((_, lost, unnamed),) = reading.reported
    assert (lost.first, lost.last, unnamed) == (1, 2, [2])
    line = unreadable_source("events", 1, lost, unnamed)
    assert "offsets 1 to 2 can not be read" in line
    assert "SKIP_RECORDS events/1/2 and start again" in line


async def test_named_it_is_passed_over_with_its_bytes(settings: Settings) -> None:
    bad = batch([RawRecord(), RawRecord()], crc_xor=1)
    reading = await read(settings, [one(b"0"), bad, one(b"3")], 4, skipped=[1, 2])
    (first, second, third, fourth) = reading.values
    assert (first, third, fourth) == ((0, b"0"), (2, None), (3, b"3"))
    assert second[0] == 1
    assert second[1] is not None
    assert second[1][16:] == bad[16:]  # the offset and the leader's epoch are the broker's
    assert reading.reported == []


async def test_control_batches_are_passed_over(settings: Settings) -> None:
    marker = RawRecord(key=b"\x00\x00\x00\x00", value=b"")
    reading = await read(settings, [one(b"0"), batch([marker], attributes=CONTROL), one(b"2")], 2)
    assert reading.values == [(0, b"0"), (2, b"2")]


def test_the_line_of_many_is_one_that_a_shell_understands() -> None:
    lost = Unreadable(17, 516, b"", "two\nlines")
    line = unreadable_source("events", 3, lost, range(17, 517))
    assert '$(seq -s, -f "events/3/%.0f" 17 516)' in line
    assert "\n" not in line
