"""A source of tokens, and token endpoints that a test holds back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import aiohttp
from aiohttp import web

from streams.genesys.gate import Gate
from streams.genesys.token import TokenSource
from streams.genesys.transport import Transport
from tests.support.scripted import (
    CLIENT_SECRET,
    LeapingClock,
    Recorder,
    Reply,
    ScriptedGenesys,
    gate_of,
    reply,
    settings_for,
)


@asynccontextmanager
async def token_source(
    genesys: ScriptedGenesys, clock: LeapingClock, gate: Gate | None = None
) -> AsyncIterator[TokenSource]:
    observer = Recorder()
    async with aiohttp.ClientSession() as session:
        source = TokenSource(
            settings_for(genesys),
            transport=Transport(
                session, timeout=10, clock=clock, observer=observer, secrets=(CLIENT_SECRET,)
            ),
            gate=gate or gate_of(clock, observer),
            clock=clock,
            random=Random(7),
        )
        try:
            yield source
        finally:
            await source.close()


def hold(release: asyncio.Event, then: Reply) -> Reply:
    """Answer when the test says so."""

    async def held(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return await then(request)

    return held


def grant(token: str, life: float = 86_400) -> Reply:
    return reply(200, {"access_token": token, "expires_in": life})
