"""The client and a 429: nobody sends anything until its time has passed."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest
from aiohttp import web

from streams.errors import RateLimited
from streams.genesys.api import CallContext
from tests.support.calls import Call, get, patch
from tests.support.scripted import (
    LeapingClock,
    Recorder,
    ScriptedGenesys,
    SteppedClock,
    connected,
    reply,
    until,
)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("7", 7, 7), ("date", 6.9, 7.1), (None, 1, 3), ("soon", 1, 3)],
)
@pytest.mark.parametrize("call", [get, patch])
async def test_429_is_tried_again_when_its_retry_after_has_passed(
    *,
    genesys: ScriptedGenesys,
    clock: LeapingClock,
    observer: Recorder,
    header: str | None,
    least: float,
    most: float,
    call: Call,
) -> None:
    now = clock.time()
    value = formatdate(now + 7, usegmt=True) if header == "date" else header
    headers = {"Retry_After": value} if value else {}
    genesys.script.append(reply(429, None, Date=formatdate(now, usegmt=True), **headers))
    async with connected(genesys, clock=clock, observer=observer) as client:
        await call(client, CallContext())
    assert len(genesys.received) == 2
    (waited,) = observer.waits
    assert least <= waited <= most


async def test_after_three_429_the_lane_gives_up_and_the_gate_stays_paused(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.usual = reply(
        429, {"code": "too.many.requests", "limit": {"key": "token.rate"}}, Retry_After="5"
    )
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(RateLimited, match=r"token\.rate") as caught:
            await patch(client)
        assert client.gate.paused_until() == clock.now + 5
    assert caught.value.retry_after == 5
    assert not caught.value.maybe_applied
    assert len(genesys.received) == 3


async def test_a_retry_after_above_180_s_gives_up_at_once_for_every_lane(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script.append(reply(429, None, Retry_After="181"))
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(RateLimited) as first:
            await get(client)
        with pytest.raises(RateLimited) as second:
            await patch(client)
        assert (first.value.retry_after, second.value.retry_after) == (181, 181)
        assert len(genesys.received) == 1
        assert clock.slept == []
        clock.now += 1
        await get(client)
    assert len(genesys.received) == 2


async def test_no_lane_sends_anything_while_the_gate_is_paused(genesys: ScriptedGenesys) -> None:
    clock = SteppedClock()
    genesys.script.append(reply(429, None, Retry_After="10"))
    async with connected(genesys, clock=clock) as client:
        first = asyncio.create_task(get(client))
        await until(lambda: client.gate.paused_until() is not None)
        lanes = [asyncio.create_task(get(client)) for _ in range(200)]
        await until(lambda: client.gate.waiting == 201)
        clock.advance(9.9)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(genesys.received) == 1
        clock.advance(0.1)
        await asyncio.gather(first, *lanes)
    assert len(genesys.received) == 202


async def test_a_gate_paused_while_the_token_is_fetched_stops_the_request(
    genesys: ScriptedGenesys,
) -> None:
    clock = SteppedClock()
    async with connected(genesys, clock=clock) as client:

        async def granted_while_it_pauses(request: web.Request) -> web.StreamResponse:
            client.gate.pause(10)
            return await reply(200, {"access_token": "t", "expires_in": 600})(request)

        genesys.token_script.append(granted_while_it_pauses)
        lane = asyncio.create_task(get(client))
        await until(lambda: client.gate.waiting == 1)
        assert genesys.received == []
        clock.advance(10)
        await lane
    assert len(genesys.received) == 1


async def test_leave_given_in_the_moment_of_a_429_is_given_back(genesys: ScriptedGenesys) -> None:
    clock = SteppedClock()
    async with connected(genesys, clock=clock) as client:
        await get(client)
        client.gate.pause(1)
        lane = asyncio.create_task(get(client))
        await until(lambda: client.gate.waiting == 1)
        clock.now += 1
        client.gate._let_pass()
        client.gate.pause(20)  # another lane's 429, in the same turn of the loop
        await until(lambda: client.gate.waiting == 1)
        assert len(genesys.received) == 1

        clock.advance(20)
        await lane
        assert len(genesys.received) == 2
        assert client.gate._in_flight == 0


async def test_a_patch_leaves_before_gets_that_came_earlier(genesys: ScriptedGenesys) -> None:
    """A GET whose PATCH does not come is budget wasted."""
    clock = SteppedClock()
    async with connected(genesys, clock=clock) as client:
        await get(client)
        client.gate.pause(1)
        gets = [asyncio.create_task(get(client)) for _ in range(3)]
        await until(lambda: client.gate.waiting == 3)
        last = asyncio.create_task(patch(client))
        await until(lambda: client.gate.waiting == 4)
        clock.advance(1)
        await asyncio.gather(*gets, last)
    assert [each.method for each in genesys.received] == ["GET", "PATCH", "GET", "GET", "GET"]


async def test_a_429_of_the_token_endpoint_pauses_the_gate_too(
    genesys: ScriptedGenesys, clock: LeapingClock, observer: Recorder
) -> None:
    genesys.token_script.append(reply(429, None, Retry_After="20"))
    async with connected(genesys, clock=clock, observer=observer) as client:
        started = clock.now
        await get(client)
    assert clock.now - started >= 20
    assert len(genesys.token_requests) == 2
    assert len(genesys.received) == 1
