"""The client and a 401: one new token for all."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from streams.errors import Unauthorized
from streams.genesys.api import CallContext
from tests.support.calls import Call, get, patch
from tests.support.scripted import VOICE, LeapingClock, ScriptedGenesys, connected, reply


@pytest.mark.parametrize("call", [get, patch])
async def test_401_drops_the_token_and_tries_once_more_with_a_new_one(
    genesys: ScriptedGenesys, clock: LeapingClock, call: Call
) -> None:
    genesys.script.append(reply(401))
    async with connected(genesys, clock=clock) as client:
        await call(client, CallContext())
    used = [request.headers["Authorization"] for request in genesys.received]
    assert used == ["Bearer t0k3n-1", "Bearer t0k3n-2"]


async def test_a_token_that_served_and_is_refused_is_replaced_without_a_wait(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async with connected(genesys, clock=clock) as client:
        await get(client)
        genesys.script.append(reply(401))
        await get(client)
    assert len(genesys.token_requests) == 2
    assert clock.slept == []


async def test_401_twice_is_unauthorized(genesys: ScriptedGenesys, clock: LeapingClock) -> None:
    genesys.usual = reply(401, {"code": "bad.credentials", "message": "Invalid login"})
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(Unauthorized) as caught:
            await patch(client)
    assert (caught.value.status, caught.value.code) == (401, "bad.credentials")
    assert not caught.value.maybe_applied
    assert len(genesys.received) == 2
    assert len(genesys.token_requests) == 2


async def test_credentials_are_proven_before_any_record_asks(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.extend([reply(401, {"error": "invalid_client"}), reply(503)])
    async with connected(genesys, clock=clock) as client:
        await client.prove_credentials()
        assert client.refused is None
    assert (len(genesys.token_requests), genesys.received) == (3, [])


async def test_200_lanes_with_401_fetch_one_new_token(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async def only_the_second(request: web.Request) -> web.StreamResponse:
        first = request.headers["Authorization"] == "Bearer t0k3n-1"
        return await reply(401 if first else 200, VOICE)(request)

    async with connected(genesys, clock=clock) as client:
        await get(client)
        genesys.usual = only_the_second
        await asyncio.gather(*(get(client) for _ in range(200)))
    assert len(genesys.received) == 401
    assert len(genesys.token_requests) == 2


async def test_an_api_that_refuses_every_token_does_not_hammer_the_token_endpoint(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.usual = reply(401)
    async with connected(genesys, clock=clock) as client:
        started = clock.now
        for _ in range(20):
            with pytest.raises(Unauthorized):
                await get(client)
    assert len(genesys.token_requests) == 21
    # Full jitter: on average half of 1 + 2 + 4 … 32 and then 60 s each.
    assert clock.now - started > 200


async def only_gets(request: web.Request) -> web.StreamResponse:
    return await reply(401 if request.method == "PATCH" else 200, VOICE)(request)


async def test_an_api_that_refuses_every_patch_does_not_hammer_the_token_endpoint(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    """The GETs in between show that the token is good, but not that another one would help."""
    genesys.usual = only_gets
    async with connected(genesys, clock=clock) as client:
        for _ in range(600):
            await get(client)
            with pytest.raises(Unauthorized):
                await patch(client)
            clock.now += 1
    assert 10 <= len(genesys.token_requests) <= 40
    assert clock.slept == [], "nobody waits for a token while there is one that serves"


async def test_what_is_refused_with_a_new_token_as_well_is_named_until_it_is_accepted(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.usual = only_gets
    async with connected(genesys, clock=clock) as client:
        await get(client)
        assert client.refused is None
        for _ in range(2):
            with pytest.raises(Unauthorized):
                await patch(client)
            await get(client)
            assert client.refused is not None
            assert "401 to PATCH /api/v2/interactions/{id}" in client.refused
        genesys.usual = reply(200, VOICE)
        await patch(client)
        assert client.refused is None


async def test_while_patches_are_refused_a_token_that_ended_is_replaced_for_a_get(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.usual = only_gets
    async with connected(genesys, clock=clock) as client:
        await get(client)
        with pytest.raises(Unauthorized):
            await patch(client)
        await get(client)
        fetched = len(genesys.token_requests)
        genesys.script.append(reply(401))
        await get(client)
    assert len(genesys.token_requests) == fetched + 1
    assert clock.slept == []


async def test_a_replacement_that_helps_leaves_the_next_one_no_distance(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async with connected(genesys, clock=clock) as client:
        await get(client)
        for _ in range(5):
            genesys.script.append(reply(401))
            await get(client)
            await get(client)
    assert len(genesys.token_requests) == 6
