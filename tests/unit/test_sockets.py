"""What arrives of a request that was given up while the network was cut."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.genesys.transport import pooled_session
from tests.support.authority import Authority
from tests.support.link import CUT, Link
from tests.support.scripted import until

BODY = bytes(100_000)


class Server:
    """Answers each request. ``arrived``: the bodies' sizes; ``ended``: connections that were made
    and have ended."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self.arrived: list[int] = []
        self.ended = 0
        self._tls = tls

    @asynccontextmanager
    async def behind_a_link(self) -> AsyncIterator[tuple[Link, str]]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        link = Link(("127.0.0.1", 0), server.sockets[0].getsockname())
        async with server, link.open() as (host, port):
            yield link, f"http{'s' * bool(self._tls)}://{host}:{port}/"

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
            writer.transport.abort()


@dataclass
class Patching:
    server: Server
    link: Link
    session: aiohttp.ClientSession
    url: str
    trusted: ssl.SSLContext | None

    async def patch(self, seconds: float) -> None:
        timeout = aiohttp.ClientTimeout(total=seconds)
        options: Any = {} if self.trusted is None else {"ssl": self.trusted}
        async with self.session.patch(self.url, data=BODY, timeout=timeout, **options) as answer:
            assert answer.status == 204


@asynccontextmanager
async def patching(
    session: aiohttp.ClientSession, tmp_path: Path, *, tls: bool
) -> AsyncIterator[Patching]:
    served = trusted = None
    if tls:
        authority = Authority(tmp_path)
        served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        served.load_cert_chain(authority.certificate("server", hosts=("localhost",)))
        trusted = ssl.create_default_context(cafile=authority.file)
    server = Server(served)
    async with session, server.behind_a_link() as (link, url):
        yield Patching(server, link, session, url, trusted)


@pytest.mark.parametrize("tls", [False, True])
async def test_what_was_given_up_in_a_cut_network_never_arrives(
    tmp_path: Path, *, tls: bool
) -> None:
    async with patching(pooled_session(1), tmp_path, tls=tls) as given:
        await given.patch(5)
        with given.link.broken(CUT):
            with pytest.raises(TimeoutError):
                await given.patch(0.2)
            await until(lambda: given.link.ended == 1)
        await given.patch(5)
    assert given.server.arrived == [len(BODY)] * 2


@pytest.mark.parametrize("tls", [False, True])
async def test_nor_what_had_no_connection_yet(tmp_path: Path, *, tls: bool) -> None:
    async with patching(pooled_session(1), tmp_path, tls=tls) as given:
        with given.link.broken(CUT), pytest.raises(TimeoutError):
            await given.patch(0.2)
        await until(lambda: given.link.ended == 1)
        await given.patch(5)
    assert given.server.arrived == [len(BODY)]


async def test_a_connection_whose_request_was_answered_serves_the_next(tmp_path: Path) -> None:
    async with patching(pooled_session(1), tmp_path, tls=True) as given:
        for _ in range(3):
            await given.patch(5)
        assert given.link.ended == 0


@pytest.mark.parametrize("tls", [False, True])
async def test_by_default_it_is_sent_later(tmp_path: Path, *, tls: bool) -> None:
    """Why it has to be prevented."""
    async with patching(aiohttp.ClientSession(), tmp_path, tls=tls) as given:
        await given.patch(5)
        with given.link.broken(CUT), pytest.raises(TimeoutError):
            await given.patch(0.2)
        await until(lambda: len(given.server.arrived) == 2)
