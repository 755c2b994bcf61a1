"""Reads a topic, or a stretch of it, without a consumer group: joins nothing, commits nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterable, Mapping

import aiokafka
import aiokafka.errors
from aiokafka.partitioner import DefaultPartitioner

from streams.errors import KafkaError, TopicsError
from streams.kafka.connection import aiokafka_options
from streams.kafka.topics import APPLY_HINT, TopicsAdmin
from streams.settings import Settings

# How long a fetch waits for news. Bounds how late the end is noticed; costs one request each time.
FETCH_WAIT_MS = 500

# A fetch brings thousands of outcomes instead of aiokafka's 1 MiB of them, so that a long topic is
# read in seconds. No limit on what can be read: a record larger than this comes alone.
FETCH_BYTES = 4 << 20


# Half of what a command has to leave after a signal: this look can not be interrupted.
ANSWER_TIMEOUT_SECONDS = 5.0


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's default partitioner (murmur2) puts a key."""
    numbers = list(range(partitions))
    partition: int = DefaultPartitioner()(key, numbers, numbers)
    return partition


async def partitions_of(settings: Settings, topic: str) -> int:
    """How many it has. Raises TopicsError when there is no such topic, KafkaError."""
    cluster = await asyncio.to_thread(TopicsAdmin(settings).cluster, ANSWER_TIMEOUT_SECONDS)
    if topic not in cluster.topics:
        raise TopicsError(f"no topic {topic} at {settings.kafka_bootstrap_servers}; {APPLY_HINT}")
    return cluster.topics[topic].partitions


async def read_topic(
    settings: Settings,
    topic: str,
    partitions: Iterable[int],
    *,
    follow: bool = False,
    since: int | None = None,
    until: int | None = None,
) -> AsyncGenerator[aiokafka.ConsumerRecord]:
    """Every record of these partitions, in order within each, to the end there is at the start.

    ``since``, ``until``: those of that time on, and of before that one; epoch milliseconds. With
    ``follow`` it goes on with what comes and never ends.

    Raises KafkaError.
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
        if since is not None:
            for place, first in (await _first_at(consumer, places, since)).items():
                consumer.seek(place, first)
        if until is not None and ends is not None:
            ends |= await _first_at(consumer, places, until)
        stretch = range(since or 0, until or sys.maxsize)
        while ends is None or not await _reached(consumer, ends):
            batches = await consumer.getmany(timeout_ms=FETCH_WAIT_MS)
            for place, records in batches.items():
                for record in records:
                    wanted = ends is None or record.offset < ends[place]
                    if wanted and record.timestamp in stretch:
                        yield record
    except aiokafka.errors.KafkaError as exc:
        raise KafkaError(f"cannot read {topic}: {exc!r}") from exc
    finally:
        await consumer.stop()


async def _first_at(
    consumer: aiokafka.AIOKafkaConsumer, places: list[aiokafka.TopicPartition], at: int
) -> Mapping[aiokafka.TopicPartition, int]:
    """The offset of the first record that is not older, where there is one; the embedded broker
    does not say."""
    found = await consumer.offsets_for_times(dict.fromkeys(places, at))
    return {place: first.offset for place, first in found.items() if first is not None}


async def _reached(
    consumer: aiokafka.AIOKafkaConsumer, ends: Mapping[aiokafka.TopicPartition, int]
) -> bool:
    # Positions, not records: what retention or compaction took away never comes.
    return all([await consumer.position(place) >= end for place, end in ends.items()])
