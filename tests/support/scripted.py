"""A Genesys Cloud that answers as a test has scripted it, and a clock and an observer to match."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.trace import Tracer

from streams.genesys.breaker import Breaker, BreakerPolicy
from streams.genesys.budget import Budget
from streams.genesys.client import GenesysClient, open_client
from streams.genesys.gate import Gate
from streams.genesys.settings import GenesysSettings

CLIENT_ID = "client-7f3a"
CLIENT_SECRET = "s3cr3t-8c1d"
UNPACED = 1_000_000_000
VOICE = {
    "id": "i-1",
    "type": "voice",
    "state": "completed",
    "metadata": {"startTime": "2025-12-12T15:00:00Z", "endTime": "2025-12-12T15:01:00Z"},
}

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LeapingClock:
    """Nobody really waits: a sleep takes the clock to its end at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_765_552_507.0 + self.now - 1000.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class SteppedClock(LeapingClock):
    """Time stands still until the test moves it on."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken = asyncio.Event()
        self._sleepers.append((self.now + seconds, woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for until, woken in self._sleepers:
            if until <= self.now:
                woken.set()
        self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[1].is_set()]


@dataclass
class Recorder:
    """An ApiObserver that remembers."""

    calls: list[tuple[str, str, int | str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def api_call(self, route: str, method: str, status: int | str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((route, method, status))

    def throttled(self, seconds: float) -> None:
        self.waits.append(seconds)


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    raw_path: str
    headers: dict[str, str]
    body: bytes


def reply(status: int, body: Any = None, **headers: str) -> Reply:
    """Answer with this status; ``Retry_After="2"`` is the header ``Retry-After``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status, body=content, content_type="application/json", headers=named
        )

    return answer


async def drop(request: web.Request) -> web.StreamResponse:
    """Take the request, then close the connection without an answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


class ScriptedGenesys:
    """Plays the scripted replies in turn, ``usual`` when there is none left."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.token_requests: list[Received] = []
        self.script: deque[Reply] = deque()
        self.token_script: deque[Reply] = deque()
        self.usual: Reply = reply(200, VOICE)
        self.token_life: float = 86_400
        self._over = asyncio.Event()
        app = web.Application()
        app.router.add_post("/oauth/token", self._token)
        app.router.add_route("*", "/{anything:.*}", self._api)
        self._server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    async def start(self) -> None:
        await self._server.start_server()

    async def close(self) -> None:
        self._over.set()
        await self._server.close()

    async def hang(self, _: web.Request) -> web.StreamResponse:
        """Take the request and do not answer before the test is over."""
        await self._over.wait()
        return web.Response(status=500)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        self.token_requests.append(await _received(request))
        if self.token_script:
            return await self.token_script.popleft()(request)
        granted = {
            "access_token": f"t0k3n-{len(self.token_requests)}",
            "token_type": "bearer",
            "expires_in": self.token_life,
        }
        return web.json_response(granted)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        self.received.append(await _received(request))
        answer = self.script.popleft() if self.script else self.usual
        return await answer(request)


async def _received(request: web.Request) -> Received:
    return Received(request.method, request.raw_path, dict(request.headers), await request.read())


def gate_of(
    clock: LeapingClock,
    observer: Recorder | None = None,
    *,
    per_minute: int = UNPACED,
    policy: BreakerPolicy | None = None,
) -> Gate:
    """A gate as the client has it, open."""
    return Gate(
        clock,
        observer or Recorder(),
        budget=Budget(per_minute),
        breaker=Breaker(policy or BreakerPolicy()),
    )


@asynccontextmanager
async def connected(
    genesys: ScriptedGenesys,
    *,
    clock: LeapingClock,
    observer: Recorder | None = None,
    tracer: Tracer | None = None,
    timeout: float = 10.0,
    url: str | None = None,
    in_flight: int = 200,
) -> AsyncIterator[GenesysClient]:
    """A client of this API, as the worker opens it."""
    settings = settings_for(genesys, url=url, timeout=timeout)
    async with open_client(
        settings,
        in_flight=in_flight,
        observer=observer or Recorder(),
        clock=clock,
        random=Random(7),
        tracer=tracer,
    ) as client:
        yield client


def settings_for(
    genesys: ScriptedGenesys, *, url: str | None = None, timeout: float = 10.0
) -> GenesysSettings:
    return GenesysSettings(
        base_url=url or genesys.url,
        login_url=genesys.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        # What a pace does has tests of its own; in the others nobody is to wait for it.
        requests_per_minute=UNPACED,
        timeout=timeout,
    )


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Let others run until this holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for signals nothing
            await asyncio.sleep(0.001)
