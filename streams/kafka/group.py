"""Whether the consumer group is ours alone: one APP_ID serves one TOPIC_PREFIX.

The group's name and the changelog's are made of APP_ID. Workers of two prefixes under one APP_ID
would share both: each takes the other's records of the table for its own, and loses half of them.
Faust and Kafka say nothing to it, so the group is looked at before a worker joins, and again
before it reads its first record: two that were started in the same moment see each other then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import KafkaError, for_code

from streams.core.foreign_text import foreign_text
from streams.errors import SettingsError
from streams.kafka.connection import aiokafka_options
from streams.kafka.settings import KafkaSettings

log = logging.getLogger(__name__)

# For the coordinator of the group to be found: the first look ever has Kafka make the topic that
# it keeps its groups in.
ANSWER_SECONDS = 10.0

POLL_SECONDS = 0.2

# Topic names have 249 characters at most.
LONGEST_TOPIC = 249

# Named in a refusal; more would not make it clearer.
MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """Topics that the group has members or committed offsets for. ``settled``: whether the members
    tell: while the group is rebalancing the broker keeps theirs to itself."""

    topics: frozenset[str]
    settled: bool


class GroupCheck:
    """Looks at the group until it has been seen whole once."""

    def __init__(self, settings: KafkaSettings, own: Collection[str]) -> None:
        self._settings = settings
        self._own = frozenset(own)
        self._passed = False

    async def before_joining(self) -> None:
        """Raises SettingsError when the group is somebody else's already."""
        await self._look()

    async def after_joining(self) -> None:
        """Raises SettingsError when somebody else is in the group by now."""
        if not self._passed:
            self._passed = await self._look()

    async def _look(self) -> bool:
        """Whether it was seen whole. One that can not be looked at can not be joined either, and
        that is told where it is tried."""
        try:
            seen = await look(self._settings)
        except (KafkaError, TimeoutError) as failure:
            log.warning(
                "the consumer group is not to be looked at: whether another TOPIC_PREFIX uses the "
                "same APP_ID is not known",
                extra={"group": self._settings.app_id, "error": repr(failure)},
            )
            return False
        if foreign := sorted(seen.topics - self._own):
            raise SettingsError(_refusal(self._settings, foreign))
        return seen.settled


async def look(settings: KafkaSettings) -> Seen:
    """Raises aiokafka's KafkaError, or TimeoutError, when the group's coordinator does not tell."""
    admin = AIOKafkaAdminClient(**aiokafka_options(settings))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await admin.start()
            return await _patiently(admin, settings.app_id)
    finally:
        await admin.close()


async def _patiently(admin: AIOKafkaAdminClient, group: str) -> Seen:
    deadline = time.monotonic() + ANSWER_SECONDS / 2
    while True:
        try:
            return await _look(admin, group)
        except KafkaError as failure:
            if not failure.retriable or time.monotonic() > deadline:
                raise
            await asyncio.sleep(POLL_SECONDS)


async def _look(admin: AIOKafkaAdminClient, group: str) -> Seen:
    committed = await admin.list_consumer_group_offsets(group)
    topics = {at.topic for at, offset in committed.items() if offset.offset >= 0}
    (answer,) = await admin.describe_consumer_groups([group])
    (described,) = answer.groups
    error, _, state, _, _, members = described[:6]
    if error:
        raise for_code(error)(f"cannot describe group {group}")
    for _, _, _, metadata, assignment in (member[-5:] for member in members):
        topics |= subscribed(metadata) | assigned(assignment)
    return Seen(frozenset(topics), settled=state == "Stable")


def subscribed(metadata: bytes) -> set[str]:
    """What a member asks for, if that can be read: any program can be in a group."""
    try:
        told: Any = ConsumerProtocolMemberMetadata.decode(metadata)
        return {topic for topic in told.subscription or () if topic}
    except (ValueError, TypeError):
        return set()


def assigned(assignment: bytes) -> set[str]:
    """What it was given, if that can be read."""
    try:
        told: Any = ConsumerProtocolMemberAssignment.decode(assignment)
        return {topic for topic, _ in told.assignment or () if topic}
    except (ValueError, TypeError):
        return set()


def _refusal(settings: KafkaSettings, foreign: list[str]) -> str:
    names = [foreign_text(name, LONGEST_TOPIC) for name in foreign[:MOST_NAMED]]
    named = ", ".join(names) + (", …" if len(foreign) > MOST_NAMED else "")
    options = " ".join(f"--topic {name}" for name in names)
    return (
        f"APP_ID, TOPIC_PREFIX: group {settings.app_id} is used for {named} too, and this worker "
        f"reads {settings.topics.events} and {settings.topics.retries}: workers of two prefixes "
        "under one APP_ID would lose each other's table; give each prefix an APP_ID of its own. "
        "If the prefix was changed on purpose, end the workers of the old one and delete its "
        f"offsets: kafka-consumer-groups.sh --bootstrap-server {settings.bootstrap_servers} "
        f"--group {settings.app_id} --delete-offsets {options}"
    )
