"""A conversation as the API answers with it, how that is read, and a client that asks for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from multidict import CIMultiDict

from streams.core.conversations.conversation import Conversation
from streams.genesys.answers import Answer
from streams.genesys.conversation_reading import read_conversation
from streams.genesys.conversations import LegAddress
from streams.genesys.conversations_client import ConversationsClient, open_conversations
from streams.genesys.settings import GenesysSettings
from tests.support.scripted import UNPACED, LeapingClock, Recorder

LEG = LegAddress("c-1", "p-1", "call-1", "voice")


def agent(**more: Any) -> dict[str, Any]:
    """An agent's leg that waits for its code."""
    return {
        "id": "p-1",
        "purpose": "agent",
        "userId": "u-1",
        "queueId": "q-1",
        "connectedTime": "2026-03-02T09:00:25.000Z",
        "endTime": "2026-03-02T09:03:20.100Z",
        "wrapupRequired": True,
        "wrapupPrompt": "timeout",
        "wrapupTimeoutMs": 120000,
        "startAcwTime": "2026-03-02T09:03:20.100Z",
        "calls": [{"id": "call-1", "state": "terminated"}],
    } | more


def conversation(*participants: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A conversation of these participants; of one agent without any."""
    return {"id": "c-1", "participants": list(participants) or [agent()]} | more


def as_read(body: dict[str, Any]) -> Conversation:
    """What is read in the answer to a GET with this body."""
    answer = Answer.received(200, CIMultiDict(), json.dumps(body).encode(), now=0)
    return read_conversation(answer, body["id"])


@asynccontextmanager
async def conversations_at(
    url: str, clock: LeapingClock, **settings: Any
) -> AsyncIterator[ConversationsClient]:
    """A client of the API at this URL."""
    genesys = GenesysSettings(
        base_url=url,
        login_url=url,
        client_id="client-7f3a",
        client_secret="s3cr3t-8c1d",
        requests_per_minute=UNPACED,
        dialect="conversations",
        **({"scopes": None} | settings),
    )
    async with open_conversations(
        genesys, in_flight=5, observer=Recorder(), clock=clock, random=Random(7)
    ) as client:
        yield client
