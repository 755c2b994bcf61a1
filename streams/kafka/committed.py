"""Asks where a consumer group stands, without joining it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiokafka.errors
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.core.foreign_text import foreign_text
from streams.errors import KafkaError, NotAuthorized
from streams.kafka.acls import Operation
from streams.kafka.authorization import refusal_of_group
from streams.kafka.connection import aiokafka_options
from streams.kafka.diagnosis import why_not
from streams.kafka.settings import KafkaSettings
from streams.stopping import in_daemon_thread

# How long the group's coordinator may take to answer, and to be found: a broker that has just
# become it loads the group first, and says so.
ANSWER_SECONDS = 10.0

# Between two questions meanwhile.
POLL_SECONDS = 0.2

# Of a library's error.
REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Committed:
    """``metadata``: what was committed with the offset."""

    offset: int
    metadata: str


async def committed_offsets(
    settings: KafkaSettings, partitions: Mapping[str, int]
) -> Mapping[TopicPartition, Committed]:
    """The committed offsets of our group in these topics, each with so many partitions; those
    without one are left out. Raises KafkaError, and NotAuthorized."""
    places = [
        TopicPartition(topic, partition)
        for topic, number in partitions.items()
        for partition in range(number)
    ]
    admin = AIOKafkaAdminClient(**aiokafka_options(settings))
    try:
        async with asyncio.timeout(2 * ANSWER_SECONDS):
            await admin.start()
            return await _patiently(admin, settings.app_id, places)
    except (aiokafka.errors.KafkaError, TimeoutError) as failure:
        # In a thread: the line about a refusal may take a token, which blocks.
        refusal = await in_daemon_thread(refusal_of_group, settings, failure, Operation.DESCRIBE)
        if refusal is not None:
            raise NotAuthorized(refusal) from failure
        reason = await why_not(settings) or foreign_text(repr(failure), REASON_LENGTH)
        raise KafkaError(
            f"cannot read the committed offsets of group {settings.app_id}: {reason}"
        ) from failure
    finally:
        await admin.close()


async def _patiently(
    admin: AIOKafkaAdminClient, group: str, places: list[TopicPartition]
) -> Mapping[TopicPartition, Committed]:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            found = await admin.list_consumer_group_offsets(group, partitions=places)
            # aiokafka passes over an error of the whole answer, which then has no partitions
            # (test_aiokafka.py).
            if found.keys() >= set(places):
                break
            failure: aiokafka.errors.KafkaError = aiokafka.errors.CoordinatorNotAvailableError(
                "it does not say where the group stands"
            )
        except aiokafka.errors.KafkaError as exc:
            failure = exc
            if not exc.retriable:
                raise
        if time.monotonic() > deadline:
            raise failure
        await asyncio.sleep(POLL_SECONDS)
    return {
        place: Committed(at.offset, at.metadata or "")
        for place, at in found.items()
        if at.offset >= 0
    }
