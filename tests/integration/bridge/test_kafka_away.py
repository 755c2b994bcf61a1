"""What a sender and an operator see while Kafka does not answer, and after it does again."""

from __future__ import annotations

import asyncio
import io
import signal
import time
from collections.abc import Callable

import aiohttp
import pytest

from streams.settings import Settings
from tests.integration.bridge.running import (
    JSON_CONTENT,
    Program,
    bridge_on,
    event,
    get,
    post,
    until_ready,
)

ANSWER_SECONDS = 4.0


@pytest.fixture
def settings(freezable_servers: str, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(kafka_bootstrap_servers=freezable_servers)


async def refused(url: str, body: bytes) -> None:
    """The body is answered 503 in time, with a hint when to come again."""
    began = time.monotonic()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/events", data=io.BytesIO(body), headers=JSON_CONTENT) as answer,
    ):
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json())[
            "error"
        ] == "Kafka did not acknowledge the event; send it again"
    assert time.monotonic() - began < ANSWER_SECONDS


async def test_503_while_kafka_is_frozen_then_good_again(
    settings: Settings, freezable_broker: Program
) -> None:
    async with bridge_on(settings) as url:
        await until_ready(url)
        assert (await post(url, event()))[0] == 200
        freezable_broker.send(signal.SIGSTOP)
        try:
            # A body that is no event is not refused before it is in dead-letters.
            await asyncio.gather(*(refused(url, body) for body in (event(), event("i-2"), b"no")))
            status, answer = await get(f"{url}/readyz")
            assert (status, answer["status"]) == (503, "not ready")
            assert answer["reason"]
            assert await get(f"{url}/healthz") == (200, {"status": "alive"})
            assert (await post(url, b'{"detail-type": "x"}'))[0] == 200
        finally:
            freezable_broker.send(signal.SIGCONT)
        await until_ready(url)
        assert (await post(url, event("i-3")))[0] == 200
        assert (await post(url, b"no"))[0] == 400


async def test_starts_without_kafka_and_takes_events_once_it_is_there(
    settings: Settings, freezable_broker: Program
) -> None:
    freezable_broker.send(signal.SIGSTOP)
    async with bridge_on(settings) as url:
        try:
            assert (await get(f"{url}/readyz"))[0] == 503
            await refused(url, event())
            await refused(url, b"no")
        finally:
            freezable_broker.send(signal.SIGCONT)
        await until_ready(url)
        assert (await post(url, event()))[0] == 200
