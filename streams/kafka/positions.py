"""How far the consumer group is, and who is in it, seen from outside: joins nothing, commits
nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.errors import KafkaError as ClientError

from streams.core.foreign_text import foreign_text
from streams.errors import KafkaError
from streams.kafka.acls import Operation
from streams.kafka.authorization import refusal_of_group
from streams.kafka.committed import committed_offsets
from streams.kafka.connection import aiokafka_options
from streams.kafka.diagnosis import why_not
from streams.kafka.group import ANSWER_SECONDS
from streams.kafka.settings import KafkaSettings
from streams.stopping import in_daemon_thread

# A topic and one of its partitions.
Place = tuple[str, int]

# Of a first record only its time and id are wanted; one that is larger comes alone (KIP-74).
FETCH_BYTES = 64 << 10

# How long the first records may take to come. What has not come by then is shown without its time.
FIRST_RECORDS_SECONDS = 5.0

# Characters of a library's error.
REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the group. ``user_data``: what its program has told the others, any bytes."""

    client_id: str
    host: str
    user_data: bytes
    places: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Position:
    """One partition. ``committed``: where the group goes on, the first record there is where
    nothing was committed; ``end``: behind the last record."""

    topic: str
    partition: int
    committed: int
    end: int


@dataclass(frozen=True, slots=True)
class GroupView:
    """``members``: None when the broker does not say who they are, as the embedded one."""

    members: tuple[Member, ...] | None
    positions: tuple[Position, ...]


async def look_at_group(settings: KafkaSettings, partitions: Mapping[str, int]) -> GroupView:
    """The group as it is. ``partitions``: how many each topic has. Raises KafkaError."""
    admin = AIOKafkaAdminClient(**aiokafka_options(settings))
    consumer = aiokafka.AIOKafkaConsumer(**aiokafka_options(settings), group_id=None)
    places = [
        aiokafka.TopicPartition(topic, each)
        for topic, count in partitions.items()
        for each in range(count)
    ]
    # First, for it waits for a coordinator that has to load the group before it answers.
    committed = await committed_offsets(settings, partitions)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await admin.start()
            await consumer.start()
            begins = await consumer.beginning_offsets(places)
            ends = await consumer.end_offsets(places)
            members = await _members(admin, settings.app_id)
    except (ClientError, TimeoutError) as failure:
        raise await _in_words(settings, failure) from failure
    finally:
        await consumer.stop()
        await admin.close()
    return GroupView(
        members,
        tuple(
            Position(
                place.topic,
                place.partition,
                max(committed[place].offset if place in committed else 0, begins[place]),
                ends[place],
            )
            for place in places
        ),
    )


async def _members(admin: AIOKafkaAdminClient, group: str) -> tuple[Member, ...] | None:
    try:
        (answer,) = await admin.describe_consumer_groups([group])
    except IncompatibleBrokerVersion:
        return None
    (described,) = answer.groups
    return tuple(
        Member(
            foreign_text(str(client_id), REASON_LENGTH),
            foreign_text(str(host), REASON_LENGTH).removeprefix("/"),
            _user_data(metadata),
            _places(assignment),
        )
        for client_id, host, metadata, assignment in (member[-4:] for member in described[5])
    )


def _user_data(metadata: bytes) -> bytes:
    try:
        decoded: Any = ConsumerProtocolMemberMetadata.decode(metadata)
        return bytes(decoded.user_data or b"")
    except (ValueError, TypeError):
        return b""


def _places(assignment: bytes) -> frozenset[tuple[str, int]]:
    try:
        decoded: Any = ConsumerProtocolMemberAssignment.decode(assignment)
        return frozenset((topic, each) for topic, all_ in decoded.assignment for each in all_)
    except (ValueError, TypeError):
        return frozenset()


async def first_records(
    settings: KafkaSettings, offsets: Mapping[Place, int]
) -> dict[Place, aiokafka.ConsumerRecord]:
    """The first record of each partition from this offset on. A partition whose record does not
    come in time, or can not be read, is left out. Raises KafkaError."""
    consumer = aiokafka.AIOKafkaConsumer(
        **aiokafka_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    found: dict[Place, aiokafka.ConsumerRecord] = {}
    try:
        await consumer.start()
        consumer.assign([aiokafka.TopicPartition(*place) for place in offsets])
        for place, offset in offsets.items():
            consumer.seek(aiokafka.TopicPartition(*place), offset)
        await asyncio.wait_for(_first_of_each(consumer, offsets, found), FIRST_RECORDS_SECONDS)
    except TimeoutError:
        return found
    except ClientError as failure:
        raise await _in_words(settings, failure) from failure
    finally:
        await consumer.stop()
    return found


async def _first_of_each(
    consumer: aiokafka.AIOKafkaConsumer,
    offsets: Mapping[Place, int],
    found: dict[Place, aiokafka.ConsumerRecord],
) -> None:
    while missing := [place for place in offsets if place not in found]:
        for place in missing:
            batch = await _read(consumer, place)
            if batch:
                found[place] = batch[0]


async def _read(
    consumer: aiokafka.AIOKafkaConsumer, place: Place
) -> Sequence[aiokafka.ConsumerRecord]:
    partition = aiokafka.TopicPartition(*place)
    batches = await consumer.getmany(partition, timeout_ms=200, max_records=1)
    return list(batches.get(partition, ()))


async def _in_words(settings: KafkaSettings, failure: BaseException) -> KafkaError:
    # In a thread: the line about a refusal may take a token, which blocks.
    refusal = (
        await in_daemon_thread(refusal_of_group, settings, failure, Operation.DESCRIBE)
        if isinstance(failure, ClientError)
        else None
    )
    reason = refusal or await why_not(settings) or foreign_text(repr(failure), REASON_LENGTH)
    return KafkaError(f"group {settings.app_id} can not be looked at: {reason}")
