"""The hand-made batches, as aiokafka's own parser reads them, and through the embedded broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiokafka
import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.raw_records import (
    KNOWN_CODECS,
    Codec,
    RawProducer,
    RawRecord,
    RefusedBatch,
    batch,
    produce_raw,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
NULLABLE = st.none() | st.binary(max_size=50)
NAMES = st.text(max_size=20).map(str.encode)
RECORDS = st.builds(
    RawRecord,
    key=NULLABLE,
    value=NULLABLE,
    headers=st.lists(st.tuples(NAMES, NULLABLE), max_size=4).map(tuple),
    timestamp=INT64,
)


@given(records=st.lists(RECORDS, min_size=1, max_size=5), codec=st.sampled_from(KNOWN_CODECS))
def test_read_by_aiokafka_as_they_were_written(records: list[RawRecord], codec: Codec) -> None:
    made = DefaultRecordBatch(batch(records, codec=codec))
    assert made.validate_crc()
    read = [
        RawRecord(
            each.key,
            each.value,
            tuple((name.encode(), value) for name, value in each.headers),
            each.timestamp,
        )
        for each in made
    ]
    assert read == records


def test_a_wrong_crc_is_wrong() -> None:
    assert not DefaultRecordBatch(batch([RawRecord()], crc_xor=1)).validate_crc()


async def test_through_a_broker(broker: object, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    await asyncio.to_thread(apply_topics, settings.kafka)
    topic, servers = settings.topics.events, settings.kafka_bootstrap_servers
    names = [b"one", b"two", b"three"]
    sent = [batch([RawRecord(value=name) for name in names], codec=codec) for codec in KNOWN_CODECS]
    assert await produce_raw(servers, topic, 1, sent) == [0, 3, 6, 9, 12]
    place = aiokafka.TopicPartition(topic, 1)
    async with aiokafka.AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        read = [(await asyncio.wait_for(consumer.getone(), 10)).value for _ in range(15)]
    assert read == names * 5


async def test_a_partition_that_is_not_there(
    broker: object, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings()
    await asyncio.to_thread(apply_topics, settings.kafka)
    async with RawProducer(settings.kafka_bootstrap_servers) as producer:
        with pytest.raises(RefusedBatch, match="no leader"):
            await producer.send(settings.topics.events, 99, batch([RawRecord()]))
