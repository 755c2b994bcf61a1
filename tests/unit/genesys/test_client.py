"""Every row of the design's "When the API says no", against a scripted API on a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from email.utils import formatdate

import pytest
from aiohttp import web

from streams.errors import (
    ApiError,
    ApiTimeout,
    BadRequest,
    Conflict,
    ConnectionLost,
    Forbidden,
    NotFound,
    OwnershipLost,
    RateLimited,
    ServerError,
    Unauthorized,
)
from streams.genesys.api import CallContext
from streams.genesys.client import GenesysClient
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

SERVER_ERRORS = [500, 502, 503, 504]

Call = Callable[[GenesysClient, CallContext], Awaitable[object]]


async def get(client: GenesysClient, context: CallContext | None = None) -> None:
    await client.fetch("i-1", context or CallContext())


async def patch(client: GenesysClient, context: CallContext | None = None) -> int:
    return await client.set_disposition("i-1", "code-1", '"v1"', context or CallContext())


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


# 401


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


# 403, 404, 410, 409, 412, other


async def test_403_names_the_scope_that_is_missing(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.usual = reply(
        403,
        {"code": "missing.permissions", "message": "You need [conversation:x:edit]"},
        ININ_Correlation_Id="c-9",
    )
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(Forbidden, match="scope interaction:read"):
            await get(client)
        with pytest.raises(Forbidden, match="scope interaction:write") as caught:
            await patch(client)
    assert "[conversation:x:edit]" in str(caught.value)
    assert caught.value.correlation_id == "c-9"
    assert len(genesys.received) == 2


@pytest.mark.parametrize(
    ("status", "of_get", "of_patch"),
    [
        (400, BadRequest, BadRequest),
        (404, NotFound, NotFound),
        (405, BadRequest, BadRequest),
        (409, Conflict, Conflict),
        (410, BadRequest, NotFound),
        (412, Conflict, Conflict),
        (422, BadRequest, BadRequest),
    ],
)
async def test_what_is_final_is_raised_at_once(
    genesys: ScriptedGenesys,
    clock: LeapingClock,
    status: int,
    of_get: type[ApiError],
    of_patch: type[ApiError],
) -> None:
    genesys.usual = reply(status, {"code": "x.y"})
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(of_get) as from_get:
            await get(client)
        with pytest.raises(of_patch) as from_patch:
            await patch(client)
    for caught in (from_get, from_patch):
        assert caught.value.status == status
        assert not caught.value.retriable
        assert not caught.value.maybe_applied
    assert [request.method for request in genesys.received] == ["GET", "PATCH"]


async def test_a_redirect_is_not_followed(genesys: ScriptedGenesys, clock: LeapingClock) -> None:
    genesys.usual = reply(307, None, Location="/elsewhere")
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(BadRequest, match="GENESYS_CLOUD_BASE_URL"):
            await patch(client)
    assert [request.raw_path for request in genesys.received] == ["/api/v2/interactions/i-1"]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"",
        b"[]",
        b"{}",
        b'{"type":"voice"}',
        b'{"type":"voice","state":null}',
        b'{"type":"voice","state":"completed","dispositionCode":"x"}',
        b'{"type":"voice","state":"completed","id":"i-2"}',
        b'{"type":"voice","state":"completed","x":"' + b"x" * 1024 * 1024 + b'"}',
        b"[" * 100_000,
        b'{"type":"\xff","state":"completed"}',
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_body_that_is_not_what_was_promised_is_a_bad_request(
    genesys: ScriptedGenesys, clock: LeapingClock, body: bytes
) -> None:
    genesys.usual = reply(200, body, ININ_Correlation_Id="c-1")
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(BadRequest, match="not the interaction") as caught:
            await get(client)
    assert (caught.value.status, caught.value.correlation_id) == (200, "c-1")
    assert len(genesys.received) == 1


async def test_a_body_without_an_end_is_not_read_to_its_end(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    hung_up = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b" " * 65536)
        finally:
            hung_up.set()

    genesys.script.append(endless)
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(BadRequest):
            await get(client)
        await asyncio.wait_for(hung_up.wait(), 10)


# 429


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
    value = formatdate(clock.time() + 7, usegmt=True) if header == "date" else header
    genesys.script.append(reply(429, None, **({"Retry_After": value} if value else {})))
    async with connected(genesys, clock=clock, observer=observer) as client:
        await call(client, CallContext())
    assert len(genesys.received) == 2
    (waited,) = observer.waits
    assert least <= waited <= most


async def test_after_three_429_the_lane_gives_up_and_the_gate_stays_closed(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.usual = reply(
        429, {"code": "too.many.requests", "limit": {"key": "token.rate"}}, Retry_After="5"
    )
    async with connected(genesys, clock=clock) as client:
        with pytest.raises(RateLimited, match=r"token\.rate") as caught:
            await patch(client)
        assert client.gate.closed_until() == clock.now + 5
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


async def test_no_lane_sends_anything_while_the_gate_is_closed(genesys: ScriptedGenesys) -> None:
    clock = SteppedClock()
    genesys.script.append(reply(429, None, Retry_After="10"))
    async with connected(genesys, clock=clock) as client:
        first = asyncio.create_task(get(client))
        await until(lambda: client.gate.closed_until() is not None)
        lanes = [asyncio.create_task(get(client)) for _ in range(200)]
        await until(lambda: client.gate.waiting == 201)
        clock.advance(9.9)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(genesys.received) == 1
        clock.advance(0.1)
        await asyncio.gather(first, *lanes)
    assert len(genesys.received) == 202


async def test_a_gate_that_closes_while_the_token_is_fetched_stops_the_request(
    genesys: ScriptedGenesys,
) -> None:
    clock = SteppedClock()
    async with connected(genesys, clock=clock) as client:

        async def granted_while_it_closes(request: web.Request) -> web.StreamResponse:
            client.gate.pause(10)
            return await reply(200, {"access_token": "t", "expires_in": 600})(request)

        genesys.token_script.append(granted_while_it_closes)
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


async def test_a_429_of_the_token_endpoint_closes_the_gate_too(
    genesys: ScriptedGenesys, clock: LeapingClock, observer: Recorder
) -> None:
    genesys.token_script.append(reply(429, None, Retry_After="20"))
    async with connected(genesys, clock=clock, observer=observer) as client:
        started = clock.now
        await get(client)
    assert clock.now - started >= 20
    assert len(genesys.token_requests) == 2
    assert len(genesys.received) == 1


# 5xx, time-out, connection lost


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
        assert client.gate.closed_until() is None
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
