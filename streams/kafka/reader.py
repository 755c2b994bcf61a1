"""Reads a topic from its beginning without a consumer group: joins nothing, commits nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping

import aiokafka
import aiokafka.errors
from aiokafka.partitioner import DefaultPartitioner

from streams.errors import KafkaError
from streams.kafka.connection import aiokafka_options
from streams.settings import Settings

# How long a fetch waits for news. Bounds how late the end is noticed; costs one request each time.
FETCH_WAIT_MS = 500

# A fetch brings thousands of outcomes instead of aiokafka's 1 MiB of them, so that a long topic is
# read in seconds. No limit on what can be read: a record larger than this comes alone.
FETCH_BYTES = 4 << 20


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's default partitioner (murmur2) puts a key."""
    numbers = list(range(partitions))
    partition: int = DefaultPartitioner()(key, numbers, numbers)
    return partition


async def read_topic(
    settings: Settings, topic: str, partitions: Iterable[int], *, follow: bool = False
) -> AsyncGenerator[aiokafka.ConsumerRecord]:
    """Every record of these partitions, in order within each, to the end there is at the start.

    With ``follow`` it goes on with what comes and never ends. Raises KafkaError.
    """
    consumer = aiokafka.AIOKafkaConsumer(
        **aiokafka_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    places = [aiokafka.TopicPartition(topic, partition) for partition in partitions]
    try:
        await consumer.start()
        consumer.assign(places)
        ends = None if follow else await consumer.end_offsets(places)
        while ends is None or not await _reached(consumer, ends):
            batches = await consumer.getmany(timeout_ms=FETCH_WAIT_MS)
            for place, records in batches.items():
                for record in records:
                    if ends is None or record.offset < ends[place]:
                        yield record
    except aiokafka.errors.KafkaError as exc:
        raise KafkaError(f"cannot read {topic}: {exc!r}") from exc
    finally:
        await consumer.stop()


async def _reached(
    consumer: aiokafka.AIOKafkaConsumer, ends: Mapping[aiokafka.TopicPartition, int]
) -> bool:
    # Positions, not records: what retention or compaction took away never comes.
    return all([await consumer.position(place) >= end for place, end in ends.items()])
