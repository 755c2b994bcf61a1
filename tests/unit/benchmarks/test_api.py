"""The API of the benchmarks, on a socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest

from benchmarks.suite.api import Connection, Desk, Requests
from streams.core.records import Reason
from streams.core.rules import ineligibility
from streams.genesys.answers import Answer
from streams.genesys.dialect import DIALECTS

LATENCY = 0.05


def after_latency(callback: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(LATENCY, callback)


@asynccontextmanager
async def served(*, wrap_up: bool = False) -> AsyncIterator[tuple[str, int]]:
    desk = Desk(wrap_up, after_latency)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(desk), "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield host, port
    finally:
        server.close()


@pytest.mark.parametrize(("wrap_up", "reason"), [(False, None), (True, Reason.WRAP_UP_SET)])
async def test_it_shows_a_call_that_gets_its_code_or_has_been_wrapped_up(
    wrap_up: bool, reason: Reason | None
) -> None:
    async with (
        served(wrap_up=wrap_up) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as session,
        session.get("/api/v2/interactions/one") as got,
    ):
        answer = Answer.received(got.status, got.headers, await got.read(), now=time.time())
    interaction = DIALECTS["interactions"].read_interaction(answer, "one")
    assert ineligibility(interaction, 30_000) == reason
    assert interaction.ended


async def test_it_tells_what_it_was_asked_and_how_long_each_interaction_took() -> None:
    async with (
        served() as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as session,
    ):
        async with session.post("/oauth/token", data={"grant_type": "x"}) as given:
            assert (await given.json())["access_token"]
        for path in ("one", "two"):
            async with session.get(f"/api/v2/interactions/{path}") as got:
                await got.read()
        async with session.patch("/api/v2/interactions/one", data=b"{}") as patched:
            assert patched.status == 200
        async with session.get("/requests") as told:
            requests = msgspec.json.decode(await told.read(), type=Requests)
    assert (requests.gets, requests.patches) == (2, 1)
    assert requests.seconds.keys() == {"one", "two"}
    assert requests.seconds["two"] >= LATENCY
    assert requests.seconds["one"] >= 2 * LATENCY


async def test_a_request_may_come_in_pieces_and_two_at_once() -> None:
    patch = b"PATCH /api/v2/interactions/a HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody"
    token = b"POST /oauth/token HTTP/1.1\r\n\r\n"
    async with served() as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(patch[:20])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(patch[20:-1])
        await writer.drain()
        writer.write(patch[-1:] + token)
        first = await asyncio.wait_for(_answer(reader), 10)
        second = await asyncio.wait_for(_answer(reader), 10)
        writer.close()
    # The token takes no latency, so it overtakes the PATCH: no client sends two at once.
    assert b"access_token" in first
    assert b'"id":"a"' in second


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return await reader.readexactly(length)
