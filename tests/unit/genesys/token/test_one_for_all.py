"""One token for all lanes, replaced before it ends."""

from __future__ import annotations

import asyncio
import base64
import gc
from urllib.parse import parse_qs

import pytest

from streams.errors import ServerError
from streams.genesys.token import TokenSource
from tests.support.scripted import (
    CLIENT_ID,
    CLIENT_SECRET,
    LeapingClock,
    ScriptedGenesys,
    SteppedClock,
    reply,
    until,
)
from tests.support.token_sources import grant, hold, token_source

USE = "GET /api/v2/interactions/{id}"


async def test_the_request_is_basic_and_a_form(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async with token_source(genesys, clock) as tokens:
        assert await tokens.current() == "t0k3n-1"
    (request,) = genesys.token_requests
    scheme, _, credentials = request.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(credentials).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["interaction:read interaction:write"],
    }


async def test_200_lanes_that_ask_at_once_make_one_request(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async with token_source(genesys, clock) as tokens:
        given = await asyncio.gather(*(tokens.current() for _ in range(200)))
    assert set(given) == {"t0k3n-1"}
    assert len(genesys.token_requests) == 1


@pytest.mark.parametrize(
    ("life", "kept_for"), [(86_400, 86_370), (300, 270), (60, 30), (40, 20), (2, 1)]
)
async def test_it_is_replaced_30_s_before_its_end_or_at_half_a_short_life(
    genesys: ScriptedGenesys, clock: LeapingClock, life: float, kept_for: float
) -> None:
    genesys.token_life = life
    async with token_source(genesys, clock) as tokens:
        await tokens.current()
        clock.now += kept_for - 0.1
        assert await tokens.current() == "t0k3n-1"
        assert "genesys-token" not in {task.get_name() for task in asyncio.all_tasks()}
        clock.now += 0.1
        await tokens.current()
        await until(lambda: len(genesys.token_requests) == 2)


async def test_nobody_waits_for_the_new_token_while_the_old_one_lives(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    release = asyncio.Event()
    genesys.token_script.extend([grant("old", 300), hold(release, grant("new"))])
    async with token_source(genesys, clock) as tokens:
        await tokens.current()
        clock.now += 280
        given = await asyncio.gather(*(tokens.current() for _ in range(200)))
        assert set(given) == {"old"}
        release.set()
        clock.now += 20
        assert await tokens.current() == "new"
    assert len(genesys.token_requests) == 2


async def test_an_old_token_serves_while_the_endpoint_fails(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    stray: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: stray.append(about))
    genesys.token_script.extend([grant("old", 300), reply(503), grant("new")])
    async with token_source(genesys, clock) as tokens:
        await tokens.current()
        clock.now += 280
        given = {await tokens.current()}
        async with asyncio.timeout(10):
            while "new" not in given:
                given.add(await tokens.current())
                await asyncio.sleep(0)
    assert given == {"old", "new"}
    assert clock.now < 1000 + 300
    gc.collect()
    assert stray == []


async def test_a_dropped_token_is_fetched_anew_and_dropping_it_twice_drops_no_other(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async with token_source(genesys, clock) as tokens:
        first = await tokens.current()
        tokens.accepted(first, USE, renewed=False)
        tokens.drop(first, USE)
        second = await tokens.current()
        for _ in range(200):
            tokens.drop(first, USE)
        assert await tokens.current() == second == "t0k3n-2"
    assert clock.slept == []


async def test_a_lane_that_is_cancelled_does_not_take_the_token_from_the_others(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    release = asyncio.Event()
    genesys.token_script.append(hold(release, grant("t")))
    async with token_source(genesys, clock) as tokens:
        first = asyncio.create_task(tokens.current())
        second = asyncio.create_task(tokens.current())
        await until(lambda: len(genesys.token_requests) == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        release.set()
        assert await second == "t"
    assert len(genesys.token_requests) == 1


async def test_a_failure_that_nobody_waits_for_any_more_is_no_stray_exception(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    stray: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: stray.append(about))
    release = asyncio.Event()
    genesys.token_script.append(hold(release, reply(500)))
    async with token_source(genesys, clock) as tokens:
        lane = asyncio.create_task(tokens.current())
        await until(lambda: len(genesys.token_requests) == 1)
        lane.cancel()
        await asyncio.wait([lane])
        release.set()
        assert await tokens_after_failure(tokens) == "t0k3n-2"
    assert stray == []


async def tokens_after_failure(tokens: TokenSource) -> str:
    try:
        return await tokens.current()
    except ServerError:
        return await tokens.current()


async def test_closing_abandons_a_fetch(genesys: ScriptedGenesys) -> None:
    clock = SteppedClock()
    genesys.token_script.append(reply(500))
    async with token_source(genesys, clock) as tokens:
        with pytest.raises(ServerError):
            await tokens.current()
        lane = asyncio.create_task(tokens.current())
        await until(lambda: len(clock.slept) == 1)
    with pytest.raises(asyncio.CancelledError):
        await lane
    assert len(genesys.token_requests) == 1
