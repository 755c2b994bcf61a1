"""The simulated Genesys Cloud over a socket: what a test may set and count, and its end."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault
from streams.local.simulator.latency import Latency
from streams.local.simulator.server import serving
from tests.support.simulated_org import PATIENCE, ROUTE, TRUTH, Org, running
from tests.support.workers import eventually


async def test_latency_and_concurrency(org: Org) -> None:
    await org.ask("PUT", "/_simulator/latency", json={"medianMs": 80})
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(org.get() for _ in range(5)), org.patch())
    assert 0.08 <= loop.time() - began < PATIENCE
    assert (await org.counters())["maxConcurrent"] == 6


async def test_counters_say_what_was_asked_and_what_took_effect(org: Org) -> None:
    await org.script({"drop": "after-apply"}, {"status": 409}, route="PATCH")
    await org.get()
    await org.ask("GET", "/api/v2/interactions/nobody")
    with pytest.raises(aiohttp.ClientConnectionError):
        await org.patch()
    assert [(await org.patch()).status, (await org.patch()).status] == [409, 200]
    counters = await org.counters()
    assert counters["interactions"] == {
        "i-1": {"gets": 1, "patchesReceived": 3, "patchesApplied": 2},
        "nobody": {"gets": 1, "patchesReceived": 0, "patchesApplied": 0},
    }
    assert counters["routes"] == {
        "GET": {"200": 1, "404": 1},
        "PATCH": {"200": 1, "409": 1, "unanswered": 1},
        "token": {"200": 1},
    }
    assert (counters["tokensIssued"], counters["patchesApplied"]) == (1, 2)
    assert counters["requestsInsideRetryAfter"] == 0
    short = await org.ask("GET", "/_simulator/counters?interactions=false")
    assert "interactions" not in short.body


async def test_interactions_registered_while_it_runs(org: Org) -> None:
    new = {"id": "i-2", "type": "chat", "state": "queued"}
    answer = await org.ask("PUT", "/_simulator/interactions", json=[new])
    assert answer.body == {"registered": 1}
    assert (await org.ask("GET", "/api/v2/interactions/i-2")).body == new
    looked = await org.ask("GET", "/_simulator/interactions/i-2")
    assert (looked.body["truth"], looked.body["counters"]["gets"]) == (new, 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("interactions", [{"type": "voice"}]),
        ("interactions", {"id": "x"}),
        ("faults", {"rates": [{"rate": 2, "fault": {"status": 500}}]}),
        ("faults", {"script": []}),
        ("outage", {"status": 200}),
        ("latency", {"medianMs": -1}),
        ("rate-limit", {"requestsPerMinute": 0}),
    ],
)
async def test_control_that_makes_no_sense_is_400_and_says_why(
    org: Org, path: str, body: Any
) -> None:
    answer = await org.ask("PUT", f"/_simulator/{path}", json=body)
    assert answer.status == 400
    assert answer.body["error"]
    assert (await org.get()).status == 200


async def test_reset_is_as_it_was_started() -> None:
    started = Simulator([TRUTH], latency=Latency(1), requests_per_minute=500)
    async with running(started) as org:
        await org.signed_in()
        await org.patch()
        await org.script({"status": 500}, route="GET")
        started.faults.outage = Fault(status=503)
        started.latency = Latency(60_000)
        started.limit.allowed = 1
        await org.ask("POST", "/_simulator/reset")
        counters = await org.counters()
        assert (counters["interactions"], counters["patchesApplied"]) == ({}, 0)
        assert (await org.get()).status == 401, "tokens are gone"
        await org.signed_in()
        answer = await org.get()
    assert (answer.status, answer.body) == (200, TRUTH)
    assert answer.headers["inin-ratelimit-allowed"] == "500"


async def test_a_waiting_request_does_not_hold_up_the_end() -> None:
    simulator = Simulator([TRUTH])
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        async with serving(simulator) as url:
            simulator.faults.outage = Fault(timeout=True)
            token = {"Authorization": f"Bearer {simulator.tokens.issue()}"}
            waiting = asyncio.create_task(session.get(f"{url}{ROUTE}", headers=token))
            counters = simulator.traffic.counted
            await eventually(lambda: counters()["inFlight"] == 1, PATIENCE, "the request arrived")
            began = loop.time()
        assert loop.time() - began < PATIENCE
        with pytest.raises(aiohttp.ClientConnectionError):
            await waiting
