"""Checks that the consumer group is ours alone: one APP_ID serves one TOPIC_PREFIX.

The names of the group and of the changelog are made of APP_ID. Workers of two prefixes under one
APP_ID would share both: each takes the other's table records for its own, and loses half of them.
Faust and Kafka do not complain. So a worker looks at the group before it joins, and again before it
reads its first record: two workers that start at the same moment see each other the second time
(tests/kafka/test_shared_group.py).
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
from streams.errors import NotAuthorized, SettingsError
from streams.kafka.authorization import refusal_of_group
from streams.kafka.connection import aiokafka_options
from streams.kafka.settings import KafkaSettings

log = logging.getLogger(__name__)

# How long it may take to find the group's coordinator: the first look ever makes Kafka create the
# topic in which it keeps its groups (tests/kafka/test_shared_group.py).
ANSWER_SECONDS = 10.0

# For how long of that an error that passes is met by another look: enough for the new topic's
# leaders, and half of the time is left for one last answer.
TRY_AGAIN_SECONDS = ANSWER_SECONDS / 2

# Between two looks at a group whose coordinator is not there yet: it costs a request.
POLL_SECONDS = 0.2

# A topic's name has at most 249 characters.
LONGEST_TOPIC = 249

# How many topics a refusal names; more would not make it clearer.
MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class Seen:
    """Topics for which the group has members or committed offsets. ``stable``: whether the topics
    of the members are known; the broker does not name them while the group is rebalancing."""

    topics: frozenset[str]
    stable: bool


class GroupCheck:
    """Looks at the group until it has been seen completely once. ``own``: our topics."""

    def __init__(self, settings: KafkaSettings, own: Collection[str]) -> None:
        self._settings = settings
        self._own = frozenset(own)
        self._passed = False

    async def before_joining(self) -> None:
        """Raises SettingsError when the group is used for other topics already."""
        await self._look()

    async def after_joining(self) -> None:
        """Raises SettingsError when the group is used for other topics by now. Does nothing once it
        has seen the group completely."""
        if not self._passed:
            self._passed = await self._look()

    async def _look(self) -> bool:
        """Whether the group was seen completely. A failed look is only logged: a group that can not
        be looked at can not be joined either, and joining reports it. Raises NotAuthorized."""
        try:
            seen = await look(self._settings)
        except (KafkaError, TimeoutError) as failure:
            if line := refusal_of_group(self._settings, failure):
                raise NotAuthorized(line) from failure
            log.warning(
                "the consumer group is not to be looked at: whether another TOPIC_PREFIX uses the "
                "same APP_ID is not known",
                extra={"group": self._settings.app_id, "error": repr(failure)},
            )
            return False
        if foreign := sorted(seen.topics - self._own):
            raise SettingsError(_refusal(self._settings, foreign))
        return seen.stable


async def look(settings: KafkaSettings) -> Seen:
    """Describe the group. Raises aiokafka's KafkaError, or TimeoutError, when its coordinator does
    not answer."""
    admin = AIOKafkaAdminClient(**aiokafka_options(settings))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await admin.start()
            return await _patiently(admin, settings.app_id)
    finally:
        await admin.close()


async def _patiently(admin: AIOKafkaAdminClient, group: str) -> Seen:
    deadline = time.monotonic() + TRY_AGAIN_SECONDS
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
    return Seen(frozenset(topics), stable=state == "Stable")


def subscribed(metadata: bytes) -> set[str]:
    """The topics that a member subscribes to; none if its metadata can not be read, because any
    program can be in a group."""
    try:
        decoded: Any = ConsumerProtocolMemberMetadata.decode(metadata)
        return {topic for topic in decoded.subscription or () if topic}
    except (ValueError, TypeError):
        return set()


def assigned(assignment: bytes) -> set[str]:
    """The topics of a member's assignment; none if that can not be read."""
    try:
        decoded: Any = ConsumerProtocolMemberAssignment.decode(assignment)
        return {topic for topic, _ in decoded.assignment or () if topic}
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
