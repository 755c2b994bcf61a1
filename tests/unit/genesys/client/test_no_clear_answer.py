"""The client and 5xx, time-outs and lost connections: what is tried again, and what is in doubt."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest
from aiohttp import web

from streams.errors import ApiTimeout, ConnectionLost, ServerError
from streams.genesys.api import CallContext
from tests.support.calls import Call, get, patch
from tests.support.scripted import LeapingClock, Recorder, ScriptedGenesys, connected, drop, reply

SERVER_ERRORS = [500, 502, 503, 504]


@pytest.mark.parametrize("status", SERVER_ERRORS)
async def test_5xx_of_a_get_is_tried_three_times_with_growing_jittered_waits(
    genesys: ScriptedGenesys, clock: LeapingClock, status: int
) -> None:
    genesys.usual = reply(status)
    context = CallContext()
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(ServerError) as caught:
            await get(client, context)
    assert caught.value.status == status
    assert not caught.value.maybe_applied
    assert len(genesys.received) == context.calls == context.attempts == 3
    first, second = clock.slept
    assert 0 <= first <= 0.5
    assert 0 <= second <= 1.0


async def test_5xx_of_a_get_is_not_tried_again_before_the_time_it_says(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script.append(reply(503, None, Retry_After="20"))
    async with connected(genesys, clock=clock) as client:
        await get(client)
        assert client.gate.paused_until() is None
    assert clock.slept == [20]


@pytest.mark.parametrize("status", SERVER_ERRORS)
async def test_5xx_of_a_patch_is_raised_at_once_for_it_may_have_been_applied(
    genesys: ScriptedGenesys, clock: LeapingClock, status: int
) -> None:
    genesys.script.append(reply(status))
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(ServerError) as caught:
            await patch(client)
    assert caught.value.maybe_applied
    assert len(genesys.received) == 1


async def test_a_time_out_of_a_get_is_tried_three_times(
    genesys: ScriptedGenesys, clock: LeapingClock, observer: Recorder
) -> None:
    genesys.usual = genesys.hang
    async with connected(genesys, clock=clock, observer=observer, timeout=0.1) as client:
        with pytest.raises(ApiTimeout, match="API_TIMEOUT_SECONDS") as caught:
            await get(client)
    assert not caught.value.maybe_applied
    assert len(genesys.received) == 3
    assert observer.calls[1:] == [("/api/v2/interactions/{id}", "GET", "ApiTimeout")] * 3


async def test_a_time_out_of_a_patch_is_in_doubt(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script.append(genesys.hang)
    async with connected(genesys, clock=clock, timeout=0.1) as client:
        with pytest.raises(ApiTimeout, match="may have been applied") as caught:
            await patch(client)
    assert caught.value.maybe_applied
    assert len(genesys.received) == 1


async def test_a_connection_lost_by_a_get_is_tried_three_times_and_every_try_is_counted(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    context = CallContext()
    async with connected(genesys, clock=clock) as client:
        # aiohttp would send it again on its own when a connection from the pool breaks.
        await get(client, context)
        genesys.usual = drop
        with pytest.raises(ConnectionLost) as caught:
            await get(client, context)
    assert not caught.value.maybe_applied
    # aiohttp's own error may hold the request with its Authorization.
    assert caught.value.__suppress_context__
    assert context.attempts == 3
    assert len(genesys.received) == context.calls == 4


async def test_a_connection_lost_by_a_patch_is_in_doubt(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script.append(drop)
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(ConnectionLost, match="may have been applied") as caught:
            await patch(client)
    assert caught.value.maybe_applied
    assert len(genesys.received) == 1


async def test_a_patch_whose_answer_breaks_off_is_in_doubt(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async def broken_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{")
        return await drop(request)

    genesys.script.append(broken_off)
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(ConnectionLost) as caught:
            await patch(client)
    assert caught.value.maybe_applied


@pytest.mark.parametrize("call", [get, patch])
async def test_a_refused_connection_was_never_sent_so_even_a_patch_is_tried_again(
    genesys: ScriptedGenesys, clock: LeapingClock, call: Call
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        context = CallContext()
        async with connected(genesys, clock=clock, url=url) as client:
            with pytest.raises(ConnectionLost, match="not sent") as caught:
                await call(client, context)
    assert not caught.value.maybe_applied
    assert context.calls == 3


async def test_a_host_that_can_not_be_reached_took_nothing_so_a_patch_is_tried_again(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    with ExitStack() as sockets:
        full = sockets.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            # Nobody accepts: once the queue is full, further connections get no answer.
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        context = CallContext()
        async with connected(genesys, clock=clock, url=url, timeout=0.4) as client:
            with pytest.raises(ApiTimeout, match="not sent") as caught:
                await patch(client, context)
    assert not caught.value.maybe_applied
    assert caught.value.__suppress_context__
    assert context.calls == 3


async def test_a_token_endpoint_that_fails_once_costs_no_record(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.append(reply(503))
    async with connected(genesys, clock=clock) as client:
        assert await patch(client) == 200
    assert len(genesys.token_requests) == 2
