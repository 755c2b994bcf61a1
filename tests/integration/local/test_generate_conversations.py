"""``generate --api conversations`` as a user runs it, and events at their times over a socket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from streams.clock import SystemClock
from streams.core.conversations.events import parse_conversation_event
from streams.local.conversations.population import conversations, delivered
from streams.local.generator.delivery import Delivery
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving

ACCEPTED = {"status": "accepted", "topic": "t", "partition": 0, "offset": 0}
SKIPPED = {"status": "skipped", "reason": "detail-type"}


class Bridge:
    """Takes what a bridge with GENESYS_API=conversations takes, and remembers when; or nothing."""

    def __init__(self, *, takes: bool = True) -> None:
        self._takes = takes
        self.taken: list[tuple[float, dict[str, Any]]] = []

    async def events(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self._takes or parse_conversation_event(body) is None:
            return web.json_response(SKIPPED)
        self.taken.append((SystemClock().time(), json.loads(body)))
        return web.json_response(ACCEPTED)


@asynccontextmanager
async def served(bridge: Bridge) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/events", bridge.events)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def generate(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams", "generate", "--api", "conversations", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_seeds_events_are_written_as_they_arrive() -> None:
    done = generate("--interactions", "5", "--seed", "7")
    assert (done.returncode, done.stderr) == (0, "")
    written = [json.loads(line) for line in done.stdout.splitlines()]
    assert written == [event for _, event in delivered(conversations(7, 5))]


async def test_events_come_at_their_times_and_the_org_knows_their_conversations() -> None:
    bridge, simulator = Bridge(), Simulator()
    async with served(bridge) as url, serving(simulator) as org:
        given = ("--interactions", "3", "--speed", "600", "--to", url, "--simulator", org)
        done = await asyncio.to_thread(generate, *given)
    assert done.returncode == 0, done.stderr
    assert f"{len(bridge.taken)} accepted" in done.stderr
    assert len(bridge.taken) > 3
    for at, event in bridge.taken:
        body = event["detail"]["eventBody"]
        assert at >= body["eventTime"] / 1000
        assert simulator.conversations.store.find(body["conversationId"]) is not None


async def test_a_simulator_that_is_none_is_named() -> None:
    async with served(Bridge()) as url:
        given = ("--interactions", "1", "--to", url, "--simulator", url)
        done = await asyncio.to_thread(generate, *given)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--simulator" in done.stderr


async def test_a_bridge_of_the_other_dialect_takes_none_and_it_is_told() -> None:
    async with served(Bridge(takes=False)) as url:
        given = ("--interactions", "1", "--speed", "10000", "--to", url)
        done = await asyncio.to_thread(generate, *given)
    assert done.returncode == 1
    assert "0 accepted" in done.stderr


@pytest.mark.parametrize("name", ["--to", "--simulator"])
def test_what_is_no_url_is_wrong_usage(name: str) -> None:
    done = generate("--to", "http://127.0.0.1:1", name, "nowhere")
    assert done.returncode == 2
    assert f"{name}: must be" in done.stderr


async def test_an_event_is_not_sent_before_its_time() -> None:
    bridge, clock = Bridge(), SystemClock()
    told = [event for _, event in delivered(conversations(1, 2))]
    now_ms = round(clock.time() * 1000)
    arrivals = [(now_ms + 20 * number, event) for number, event in enumerate(told)]
    async with served(bridge) as url, aiohttp.ClientSession() as session:
        delivery = Delivery(session, url, clock)
        report = await delivery.deliver_at(arrivals, asyncio.Event())
    assert report.accepted == len(bridge.taken)
    due = {event["id"]: at_ms for at_ms, event in reversed(arrivals)}
    assert all(at * 1000 >= due[event["id"]] - 1 for at, event in bridge.taken)
