"""A token endpoint that fails is left in peace, and says why."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from itertools import pairwise

import pytest
from aiohttp import web

from streams.core.retry_policy import LONGEST_QUIET, TOKEN_BACKOFF
from streams.errors import ApiError, ConnectionLost, RateLimited, ServerError, Unauthorized
from streams.genesys.breaker import BreakerPolicy
from streams.genesys.token import REFUSED
from tests.support.scripted import (
    CLIENT_ID,
    CLIENT_SECRET,
    LeapingClock,
    Reply,
    ScriptedGenesys,
    SteppedClock,
    drop,
    gate_of,
    reply,
    until,
)
from tests.support.token_sources import grant, token_source

USE = "GET /api/v2/interactions/{id}"


async def test_a_failure_is_shared_by_all_who_wait(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.append(reply(503))
    async with token_source(genesys, clock) as tokens:
        failures = await asyncio.gather(
            *(tokens.current() for _ in range(200)), return_exceptions=True
        )
        assert {type(failure) for failure in failures} == {ServerError}
        assert len(genesys.token_requests) == 1
        assert await tokens.current() == "t0k3n-2"


async def test_a_token_that_was_never_accepted_counts_as_a_failed_fetch(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    async with token_source(genesys, clock) as tokens:
        for failures in range(1, 9):
            tokens.drop(await tokens.current(), USE)
            await tokens.current()
            assert 0 < clock.slept[-1] <= min(60, 2 ** (failures - 1))
        tokens.accepted(await tokens.current(), USE, renewed=False)
        tokens.drop(await tokens.current(), USE)
        waits = len(clock.slept)
        unproven = await tokens.current()
        assert len(clock.slept) == waits
        tokens.drop(unproven, USE)
        await tokens.current()
        assert len(clock.slept) == waits + 1
        assert clock.slept[-1] <= 1


async def test_no_token_is_fetched_through_a_paused_gate(genesys: ScriptedGenesys) -> None:
    clock = SteppedClock()
    gate = gate_of(clock)
    async with token_source(genesys, clock, gate) as tokens:
        gate.pause(10)
        lane = asyncio.create_task(tokens.current())
        await until(lambda: bool(clock.slept))
        assert genesys.token_requests == []
        clock.advance(10)
        assert await lane == "t0k3n-1"


async def test_fetches_that_fail_keep_a_growing_distance(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.extend([reply(500)] * 30)
    asked_at = []
    never = BreakerPolicy(in_a_row=1000, minimum_calls=1000)
    async with token_source(genesys, clock, gate_of(clock, policy=never)) as tokens:
        for _ in range(30):
            with pytest.raises(ServerError):
                await tokens.current()
            asked_at.append(clock.now)
    distances = [after - before for before, after in pairwise(asked_at)]
    assert all(0 <= wait <= min(60, 2**n) for n, wait in enumerate(distances))
    assert sum(distances[6:]) / len(distances[6:]) > 15


async def test_a_token_that_ends_before_it_is_here_is_none(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    """And the next ones are fetched at a distance, as after any other failure."""

    async def late(_: web.Request) -> web.StreamResponse:
        clock.now += 2
        return web.json_response({"access_token": "t", "expires_in": 1})

    genesys.token_script.extend([late] * 3)
    async with token_source(genesys, clock) as source:
        for _ in range(3):
            with pytest.raises(Unauthorized, match="less than it takes"):
                await source.current()
            assert source.live() is None
    assert len(clock.slept) == 2


async def test_no_lane_is_held_for_as_long_as_an_endpoint_that_is_down_asks_for(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.extend([reply(503, None, Retry_After="7200")] * 2)
    async with token_source(genesys, clock) as source:
        for _ in range(2):
            with pytest.raises(ServerError):
                await source.current()
    assert clock.slept == [TOKEN_BACKOFF.cap]


async def test_a_refusal_is_known_until_a_token_is_accepted(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.append(reply(401, {"error": "invalid_client"}))
    async with token_source(genesys, clock) as source:
        assert source.refused is None
        with pytest.raises(Unauthorized):
            await source.current()
        assert source.refused is not None
        assert "the region or the secret is wrong" in source.refused

        token = await source.current()
        assert source.refused is None

        source.drop(token, USE)
        assert source.refused == REFUSED
        source.accepted(await source.current(), USE, renewed=False)
        assert source.refused is None


async def test_a_live_token_that_is_accepted_does_not_hurry_a_refresh_that_fails(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    """A token request for each second that the old token has left would lock the client out."""
    genesys.token_script.append(grant("old", 600))
    genesys.token_script.extend([reply(400, {"error": "invalid_client"})] * 1000)
    async with token_source(genesys, clock) as source:
        await source.current()
        clock.now += 570.5
        await source.current()
        await until(lambda: source.refused is not None)
        while clock.now < 1000 + 600:
            source.accepted(await source.current(), USE, renewed=False)
            for _ in range(5):
                await asyncio.sleep(0.001)
            clock.now += 0.25
        assert source.refused is not None
        assert "the region or the secret is wrong" in source.refused
    # Full jitter: on average half of 1 + 2 + 4 + 8 + 16 s between them, and some draws are short.
    assert len(genesys.token_requests) <= 15


async def test_once_a_refresh_succeeds_a_token_that_is_accepted_ends_the_waits(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.extend([reply(400, {"error": "invalid_client"})] * 5)
    async with token_source(genesys, clock) as source:
        for _ in range(5):
            with pytest.raises(Unauthorized):
                await source.current()
        source.accepted(await source.current(), USE, renewed=False)
        source.drop(await source.current(), USE)
        genesys.token_script.extend([reply(503)] * 2)
        with pytest.raises(ServerError):
            await source.current()
        clock.slept.clear()
        with pytest.raises(ServerError):
            await source.current()
    assert all(wait <= 1 for wait in clock.slept)


async def test_an_outage_of_the_endpoint_is_no_refusal(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.append(reply(503))
    async with token_source(genesys, clock) as source:
        with pytest.raises(ServerError):
            await source.current()
        assert source.refused is None


async def test_a_fetch_that_the_gate_refuses_keeps_its_distance_too(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    gate = gate_of(clock)
    gate.pause(LONGEST_QUIET + 100)
    async with token_source(genesys, clock, gate) as source:
        for _ in range(2):
            with pytest.raises(RateLimited):
                await source.current()
    assert clock.slept == [TOKEN_BACKOFF.cap]


async def test_invalid_client_names_both_causes(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.token_script.append(
        reply(
            400,
            {
                "error": "invalid_client",
                "description": "client not found",
                "error_description": "authentication failed",
            },
            ININ_Correlation_Id="c-3",
        )
    )
    async with token_source(genesys, clock) as tokens:
        with pytest.raises(Unauthorized) as caught:
            await tokens.current()
    text = str(caught.value)
    for word in ("region", "secret", "GENESYS_CLOUD_BASE_URL", "GENESYS_CLOUD_CLIENT_SECRET"):
        assert word in text
    assert "authentication failed" in text
    assert (caught.value.code, caught.value.correlation_id) == ("invalid_client", "c-3")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(401), Unauthorized),
        (reply(403), Unauthorized),
        (reply(404, b"<html>"), Unauthorized),
        (reply(302, None, Location="/login"), Unauthorized),
        (reply(200, b"<html>hotel wifi</html>"), Unauthorized),
        (reply(200, {"access_token": "", "expires_in": 10}), Unauthorized),
        (reply(200, {"access_token": "a\r\nb", "expires_in": 10}), Unauthorized),
        (reply(200, {"access_token": "t\n", "expires_in": 10}), Unauthorized),
        (reply(200, {"access_token": "t", "expires_in": 0}), Unauthorized),
        (reply(200, {"access_token": "t", "expires_in": "1h"}), Unauthorized),
        (reply(200, {"access_token": "t"}), Unauthorized),
        (reply(200, b"[" * 100_000), Unauthorized),
        (reply(502), ServerError),
        (drop, ConnectionLost),
    ],
)
async def test_no_token_is_never_the_fault_of_a_record(
    genesys: ScriptedGenesys, clock: LeapingClock, answer: Reply, error: type[ApiError]
) -> None:
    genesys.token_script.append(answer)
    async with token_source(genesys, clock) as tokens:
        with pytest.raises(error) as caught:
            await tokens.current()
        assert caught.value.retriable
        assert not caught.value.maybe_applied
        assert await tokens.current() == "t0k3n-2"


_ECHOES: list[Callable[[str], Reply]] = [
    lambda said: reply(401, {"error": "invalid_client", "error_description": f"not {said}"}),
    lambda said: reply(503, {"message": f"no backend for {said}"}),
    lambda said: reply(418, {"message": f"Authorization: Basic {said}"}),
]


@pytest.mark.parametrize("echo", _ECHOES)
async def test_a_secret_that_is_echoed_does_not_reach_the_error(
    genesys: ScriptedGenesys, clock: LeapingClock, echo: Callable[[str], Reply]
) -> None:
    credentials = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    async with token_source(genesys, clock) as tokens:
        for secret in (CLIENT_SECRET, credentials):
            genesys.token_script.append(echo(secret))
            with pytest.raises(ApiError) as caught:
                await tokens.current()
            assert secret not in str(caught.value)
            assert "***" in str(caught.value)
