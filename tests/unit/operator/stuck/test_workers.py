"""Asking workers: each is there once, and each that does not answer has a reason."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.api_keys import HEADER
from streams.operator.stuck import workers
from streams.operator.stuck.workers import Asked, ask_workers
from streams.wire.stuck import Drain, WorkerStanding, encode_standing

IDLE = Drain("t", 0.0, 0, 0.0, 300.0, None, None, None, None, True)
STANDING = WorkerStanding(
    "http://a:6066", "one life", "0.1.0", "now", None, {"events/0": 7}, 0, (), IDLE
)

TLS = ssl.create_default_context()

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    routes = web.Application()
    routes.router.add_get("/stuck", answer)
    async with TestServer(routes) as running:
        yield f"http://127.0.0.1:{running.port}"


async def tells(_: web.Request) -> web.StreamResponse:
    return web.Response(body=encode_standing(STANDING))


async def test_a_worker_that_is_reached_in_two_ways_is_there_once() -> None:
    async with server(tells) as url:
        by_name = url.replace("127.0.0.1", "localhost")
        assert await ask_workers([url, url, by_name], [], TLS) == [Asked(url, STANDING)]


async def test_each_key_is_tried() -> None:
    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.headers.get(HEADER) != "old":
            return web.Response(status=401)
        return await tells(request)

    async with server(guarded) as url:
        assert (await ask_workers([url], ["new", "old"], TLS))[0].standing == STANDING
        (refused,) = await ask_workers([url], ["new"], TLS)
        assert refused.error == "it does not accept our WORKER_API_KEY"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b"", "404"),
        (302, b"", "302"),
        (200, b"{}", "no worker of this version"),
        (200, b"\xff", "no worker of this version"),
        (200, b"[" * (workers.MOST_BYTES + 1), "no worker of this version"),
    ],
)
async def test_another_program_is_told_from_a_worker(status: int, body: bytes, said: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers={"Location": "http://127.0.0.1:9/"})

    async with server(answer) as url:
        (asked,) = await ask_workers([url], [], TLS)
        assert asked.standing is None
        assert said in str(asked.error)


async def test_one_that_hangs_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    over = asyncio.Event()

    async def hangs(_: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    monkeypatch.setattr(workers, "ASK_SECONDS", 0.2)
    async with server(hangs) as url, server(tells) as other:
        hanging, answering = await asyncio.wait_for(ask_workers([url, other], [], TLS), 10)
        over.set()
    assert hanging.error == "no answer within 0.2 s"
    assert answering.standing == STANDING


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://nowhere.invalid:6066"])
async def test_one_that_is_not_there_has_a_reason(url: str) -> None:
    (asked,) = await ask_workers([url], [], TLS)
    assert asked.url == url
    assert asked.error


@pytest.mark.parametrize(
    "said",
    [
        *("http://[::1", "http://a:port", "http://a:99999999", "http://\0/", "http://a..b/"),
        *("", "foo", "/x", "//", "http://", "http://:6066", "mailto:a", "unix:///x"),
    ],
)
async def test_a_member_may_say_any_text(said: str) -> None:
    """What it tells the others of the group is its program's to say, whichever that is."""
    async with server(tells) as url:
        asked, answering = await ask_workers([said, url], [], TLS)
    assert (asked.url, asked.standing) == (said, None)
    assert asked.error
    assert answering.standing == STANDING
