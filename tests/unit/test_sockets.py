"""What arrives of a request that was given up while the network was cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from streams.genesys.transport import pooled_session
from tests.support.link import CUT, Link
from tests.support.scripted import until

BODY = bytes(100_000)


class Server:
    """Answers each request. ``arrived``: the bodies' sizes; ``ended``: connections that were made
    and have ended."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.ended = 0

    @asynccontextmanager
    async def behind_a_link(self) -> AsyncIterator[tuple[Link, str]]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        link = Link(("127.0.0.1", 0), server.sockets[0].getsockname())
        async with server, link.open() as (host, port):
            yield link, f"http://{host}:{port}/"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split()[0])
                self.arrived.append(len(await reader.readexactly(length)))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            """Given up."""
        finally:
            self.ended += 1
            writer.close()


Patch = Callable[[float], Awaitable[None]]


@asynccontextmanager
async def patching(
    session: aiohttp.ClientSession,
) -> AsyncIterator[tuple[Server, Link, Patch]]:
    server = Server()
    async with session, server.behind_a_link() as (link, url):

        async def patch(seconds: float) -> None:
            timeout = aiohttp.ClientTimeout(total=seconds)
            async with session.patch(url, data=BODY, timeout=timeout) as answer:
                assert answer.status == 204

        yield server, link, patch


@pytest.mark.parametrize("connected", [True, False])
async def test_what_was_given_up_in_a_cut_network_never_arrives(*, connected: bool) -> None:
    async with patching(pooled_session(1)) as (server, link, patch):
        if connected:
            await patch(5)
        with link.broken(CUT):
            with pytest.raises(TimeoutError):
                await patch(0.2)
            if connected:
                await until(lambda: server.ended == 1)
        await patch(5)
    assert server.arrived == [len(BODY)] * (2 if connected else 1)


async def test_by_default_the_system_sends_it_later() -> None:
    """Why it has to be prevented."""
    async with patching(aiohttp.ClientSession()) as (server, link, patch):
        await patch(5)
        with link.broken(CUT), pytest.raises(TimeoutError):
            await patch(0.2)
        await until(lambda: len(server.arrived) == 2)
