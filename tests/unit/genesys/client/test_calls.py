"""The client's two calls: what is sent, what comes of it, and what stops a lane."""

from __future__ import annotations

import asyncio
import json

import pytest

from streams.clock import rfc3339
from streams.core.records import Call
from streams.errors import OwnershipLost
from streams.genesys.api import CallContext
from tests.support.calls import get, patch
from tests.support.scripted import (
    VOICE,
    LeapingClock,
    Recorder,
    ScriptedGenesys,
    SteppedClock,
    connected,
    drop,
    reply,
    until,
)


async def test_a_get_gives_the_interaction_with_its_etag(
    genesys: ScriptedGenesys, clock: LeapingClock, observer: Recorder
) -> None:
    genesys.usual = reply(200, VOICE, ETag='"v1"')
    context = CallContext()
    async with connected(genesys, clock=clock, observer=observer) as client:
        interaction = await client.fetch("i-1", context)
    assert (interaction.type, interaction.duration_ms) == ("voice", 60_000)
    assert interaction.etag == '"v1"'
    assert (context.calls, context.attempts) == (1, 1)
    (request,) = genesys.received
    assert (request.method, request.raw_path) == ("GET", "/api/v2/interactions/i-1")
    assert request.headers["Authorization"] == "Bearer t0k3n-1"
    assert "If-Match" not in request.headers
    assert observer.calls == [
        ("/oauth/token", "POST", 200),
        ("/api/v2/interactions/{id}", "GET", 200),
    ]


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_patch_sends_the_code_if_the_etag_still_matches(
    genesys: ScriptedGenesys, clock: LeapingClock, status: int
) -> None:
    genesys.usual = reply(status)
    context = CallContext()
    async with connected(genesys, clock=clock) as client:
        assert await patch(client, context) == status
    (request,) = genesys.received
    assert request.method == "PATCH"
    assert json.loads(request.body) == {"dispositionCode": {"id": "code-1"}}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["If-Match"] == '"v1"'
    assert (context.calls, context.attempts) == (1, 1)


async def test_without_an_etag_nothing_is_to_match(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async with connected(genesys, clock=clock) as client:
        await client.set_disposition("i-1", "code-1", None, CallContext())
    assert "If-Match" not in genesys.received[0].headers


async def test_calls_add_up_and_attempts_are_those_of_the_last_call(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script.append(reply(503))
    context = CallContext()
    async with connected(genesys, clock=clock) as client:
        await get(client, context)
        assert (context.calls, context.attempts) == (2, 2)
        await patch(client, context)
    assert (context.calls, context.attempts) == (3, 1)


async def test_each_request_is_taken_down_with_its_wait_and_its_answer(
    genesys: ScriptedGenesys,
) -> None:
    clock = SteppedClock()
    context = CallContext()
    async with connected(genesys, clock=clock) as client:
        await get(client)  # with it the token is there
        client.gate.pause(5)
        lane = asyncio.create_task(get(client, context))
        await until(lambda: client.gate.waiting == 1)
        genesys.usual = reply(200, VOICE, ININ_Correlation_Id="é-1")
        clock.advance(5)
        await lane
    sent_at = rfc3339(clock.time())
    assert context.made == [Call(sent_at, "GET", 200, None, 5000.0, 0.0, "?-1")]


async def test_a_request_without_an_answer_is_taken_down_with_its_error(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script += [reply(503), drop, reply(200, VOICE)]
    context = CallContext()
    async with connected(genesys, clock=clock) as client:
        await get(client, context)
    assert [(each.status, each.error) for each in context.made] == [
        (503, None),
        (None, "ConnectionLost"),
        (200, None),
    ]
    assert context.calls == len(context.made)


# Lanes that are stopped


async def test_the_guard_is_asked_right_before_the_request_leaves(
    genesys: ScriptedGenesys,
) -> None:
    clock = SteppedClock()
    ours = True

    def guard() -> None:
        if not ours:
            raise OwnershipLost("revoked")

    context = CallContext(guard=guard)
    async with connected(genesys, clock=clock) as client:
        await get(client)
        client.gate.pause(5)
        lane = asyncio.create_task(patch(client, context))
        await until(lambda: client.gate.waiting == 1)
        ours = False
        clock.advance(5)
        with pytest.raises(OwnershipLost):
            await lane
    assert context.calls == 0
    assert len(genesys.received) == 1


async def test_a_cancelled_lane_leaves_its_connection_and_the_others_in_order(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script.append(genesys.hang)
    async with connected(genesys, clock=clock, in_flight=1) as client:
        lane = asyncio.create_task(get(client))
        await until(lambda: len(genesys.received) == 1)
        lane.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lane
        # Two connections are all there are; both must still be good.
        await asyncio.gather(get(client), get(client))
    assert len(genesys.received) == 3
