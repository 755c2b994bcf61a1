"""The client and answers that no other try would change: 403, 404, 410, 409, 412, and no sense."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from streams.errors import ApiError, BadRequest, Conflict, Forbidden, NotFound
from tests.support.calls import get, patch
from tests.support.scripted import LeapingClock, ScriptedGenesys, connected, reply


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
