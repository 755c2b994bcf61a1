"""A bridge with ``GENESYS_API=conversations``, over a real socket, with a real broker behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.bridge.intake import Keep
from streams.core.conversations.events import needed
from streams.kafka.admin import TopicsAdmin
from streams.kafka.reader import read_topic
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.bridges import bridge_on, event, post, until_ready
from tests.support.conversation_events import raw

SAMPLES = Path(__file__).parent / "samples"
USER_END = (SAMPLES / "lakehouse__user.end.json").read_bytes()
SKIPPED = [
    (SAMPLES / "lakehouse__acd.end.json").read_bytes(),
    (SAMPLES / "lakehouse__attributes.json").read_bytes(),
    event("i-1"),
]


async def stored(settings: Settings, topic: str) -> list[tuple[bytes, bytes]]:
    """Key and value of all that is in a topic."""
    cluster = await asyncio.to_thread(TopicsAdmin(settings.kafka).cluster)
    partitions = range(cluster.topics[topic].partitions)
    records = read_topic(settings.kafka, topic, partitions)
    return [(record.key, record.value) async for record in records]


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("keep", ["needed", "all"])
async def test_events_are_stored_under_their_conversation_and_the_rest_is_not(
    make_settings: Callable[..., Settings], keep: Keep
) -> None:
    settings = make_settings(genesys_api="conversations", bridge_keep=keep)
    apply_topics(settings.kafka)
    own, refused = b" " + raw("acw"), raw(eventTime=None)
    async with bridge_on(settings) as url:
        await until_ready(url)
        for body in (own, USER_END):
            status, answer = await post(url, body)
            assert (status, answer["status"]) == (200, "accepted")
        for body in SKIPPED:
            answer = {"status": "skipped", "reason": "detail-type"}
            assert await post(url, body) == (200, answer)
        status, answer = await post(url, refused)
        assert (status, answer["field"]) == (400, "eventTime")
        there = await stored(settings, settings.topics.events)
        dead = await stored(settings, settings.topics.dead_letters)
    conversation_id = json.loads(USER_END)["detail"]["eventBody"]["conversationId"]
    taken = {b"c-1": own, conversation_id.encode(): USER_END}
    if keep == "needed":
        taken = {key: needed(body) for key, body in taken.items()}
    assert dict(there) == taken
    assert len(there) == 2
    assert dead == [(b"c-1", refused)]
