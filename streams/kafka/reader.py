"""Reads a topic, or a part of it, without a consumer group: joins none and commits nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

import aiokafka
import aiokafka.errors

from streams.core.foreign_text import foreign_text
from streams.errors import KafkaError, TopicsError
from streams.kafka import decoding
from streams.kafka.acls import Operation
from streams.kafka.admin import TopicsAdmin
from streams.kafka.authorization import refusal_of_topic
from streams.kafka.connection import aiokafka_options
from streams.kafka.diagnosis import why_not
from streams.kafka.fetching import Skipped, read_on
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import APPLY_HINT, check_rights
from streams.stopping import in_daemon_thread

# How long a fetch waits for new records. Bounds how late the end of the topic is noticed; each wait
# costs one request.
FETCH_WAIT_MS = 500

# Larger than aiokafka's 1 MiB (test_aiokafka.py): a fetch brings thousands of outcomes, so that a
# long topic is read in seconds. It does not limit a record: a larger record comes alone (KIP-74).
FETCH_BYTES = 4 << 20

# Characters of a library's error message, which may quote the record.
REASON_LENGTH = 300

# For each partition that can not be read to its end: a message with the place, reason and cure.
Unreadable = dict[aiokafka.TopicPartition, str]

# Half of the time that a command has to end after a signal: this request can not be interrupted.
ANSWER_TIMEOUT_SECONDS = 5.0


async def partitions_of(settings: KafkaSettings, topic: str) -> int:
    """How many partitions the topic has. Raises TopicsError when there is no such topic, and
    KafkaError."""
    cluster = await in_daemon_thread(TopicsAdmin(settings).cluster, ANSWER_TIMEOUT_SECONDS)
    if topic not in cluster.topics:
        raise TopicsError(f"no topic {topic} at {settings.bootstrap_servers}; {APPLY_HINT}")
    return cluster.topics[topic].partitions


async def require_rights(settings: KafkaSettings, command: str) -> None:
    """Raises NotAuthorized when the principal lacks rights that the command needs, KafkaError when
    no broker answers."""
    await in_daemon_thread(check_rights, settings, command, None, ANSWER_TIMEOUT_SECONDS)


async def bounds_of(
    settings: KafkaSettings, topic: str, partitions: Iterable[int]
) -> Mapping[int, tuple[int, int]]:
    """The first offset of each partition that is kept, and the one that its next record will get.
    Raises KafkaError."""
    places = [aiokafka.TopicPartition(topic, partition) for partition in partitions]
    consumer = aiokafka.AIOKafkaConsumer(**aiokafka_options(settings), group_id=None)
    try:
        await consumer.start()
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
    except aiokafka.errors.KafkaError as exc:
        raise await _unread(settings, topic, exc) from exc
    finally:
        await consumer.stop()
    return {place.partition: (begins[place], ends[place]) for place in places}


async def read_topic(
    settings: KafkaSettings,
    topic: str,
    partitions: Iterable[int],
    *,
    follow: bool = False,
    since: int | None = None,
    until: int | None = None,
    skipped: Skipped = (),
) -> AsyncGenerator[aiokafka.ConsumerRecord]:
    """All records of these partitions, in order within each, up to the end as it is at the start.

    ``since``, ``until``: give only records from that time on, and only records before that time;
    epoch milliseconds. With ``follow`` it goes on with new records and never ends. ``skipped``:
    places that are passed over where they can not be read (see ``read_on``).

    Raises KafkaError. When a record can not be read, the error names its place and the cure. It is
    raised after all records that can be read: those before it, and those of the other partitions.
    With ``follow`` it is raised at once.
    """
    consumer = aiokafka.AIOKafkaConsumer(
        **aiokafka_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    unreadable: Unreadable = {}
    places = [aiokafka.TopicPartition(topic, partition) for partition in partitions]
    try:
        await consumer.start()
        read_on(consumer, partial(_stands_still, unreadable), skipped)
        consumer.assign(places)
        ends = None if follow else await consumer.end_offsets(places)
        if since is not None and since > 0:  # no look-up before 1970: test_aiokafka.py
            for place, first in (await _first_at(consumer, places, since)).items():
                consumer.seek(place, first)
        # Kafka is not asked for the offset of `until`: times need not rise with the offsets, and
        # any number of today's records may lie behind one that says it is from the year 3000.
        async with aclosing(_records(consumer, places, ends, unreadable)) as records:
            async for record in records:
                early = since is not None and time_of(record) < since
                late = until is not None and time_of(record) >= until
                if not early and not late:
                    yield record
    except aiokafka.errors.KafkaError as exc:
        raise await _unread(settings, topic, exc) from exc
    finally:
        await consumer.stop()


async def _unread(
    settings: KafkaSettings, topic: str, failure: aiokafka.errors.KafkaError
) -> KafkaError:
    # In a thread: the line about a refusal may take a token, which blocks.
    refusal = await in_daemon_thread(refusal_of_topic, settings, failure, topic, Operation.READ)
    reason = refusal or await why_not(settings) or _reason(failure)
    return KafkaError(f"cannot read {topic}: {reason}")


def time_of(record: aiokafka.ConsumerRecord) -> int:
    """The record's time in epoch milliseconds: any 64-bit number, -1 for none. Kafka's oldest
    format has no times, and the other formats write -1 for none."""
    at: int | None = record.timestamp
    return -1 if at is None else at


async def _records(
    consumer: aiokafka.AIOKafkaConsumer,
    places: Sequence[aiokafka.TopicPartition],
    ends: Mapping[aiokafka.TopicPartition, int] | None,
    unreadable: Unreadable,
) -> AsyncGenerator[aiokafka.ConsumerRecord]:
    """The records before ``ends``, or all records for ever without ``ends``.

    ``unreadable`` gets each partition that can not be read on, and then KafkaError is raised: at
    once without ``ends``, else after the other partitions were read to their ends.
    """
    while True:
        left = [place for place in places if place not in unreadable]
        positions = {place: await consumer.position(place) for place in left}
        if _reached(positions, ends) if ends is not None else unreadable:
            break
        batches = await consumer.getmany(timeout_ms=FETCH_WAIT_MS)
        for place, batch in batches.items():
            for record in batch:
                if ends is None or record.offset < ends[place]:
                    yield record
    if unreadable:
        raise KafkaError("; ".join(unreadable.values()))


def _stands_still(
    unreadable: Unreadable,
    place: aiokafka.TopicPartition,
    lost: decoding.Unreadable,
    _: Sequence[int],
) -> None:
    unreadable[place] = (
        f"cannot read {place.topic}/{place.partition}/{lost.first}: "
        f"{foreign_text(lost.why, REASON_LENGTH)}; no record behind it in this partition can be "
        "read. Look at it with Kafka's own kafka-dump-log.sh; kafka-delete-records.sh deletes the "
        "partition up to behind it, and retention will"
    )


def _reason(exc: BaseException) -> str:
    return foreign_text(repr(exc), REASON_LENGTH)


async def _first_at(
    consumer: aiokafka.AIOKafkaConsumer, places: list[aiokafka.TopicPartition], at: int
) -> Mapping[aiokafka.TopicPartition, int]:
    """The offset of each partition's first record from time ``at`` on. Partitions without one are
    left out, and with the embedded broker all are."""
    found = await consumer.offsets_for_times(dict.fromkeys(places, at))
    return {place: first.offset for place, first in found.items() if first is not None}


def _reached(
    positions: Mapping[aiokafka.TopicPartition, int], ends: Mapping[aiokafka.TopicPartition, int]
) -> bool:
    # Compares positions, because a record that retention or compaction removed never comes.
    return all(position >= ends[place] for place, position in positions.items())
