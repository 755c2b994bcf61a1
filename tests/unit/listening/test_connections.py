"""Clients that are silent: with TLS before the handshake and at its goodbye, and with an answer
that they do not read. They hold descriptors for a while only, and no stop waits for them."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from streams import listening
from streams.listening import Room, Runner, listen
from streams.tls_files import port_tls
from tests.support.authority import Authority

# Far more than Linux keeps for a client that reads nothing: 4 MiB here, 128 KiB there.
TOO_LARGE = bytes(16 * 2**20)

# For a stop that waits for nobody, on a machine that has other things to do as well.
SOON_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A server, and what its clients need. ``refused``: one entry for each refused connection."""

    runner: Runner
    port: int
    trusting: ssl.SSLContext
    refused: list[str]

    def silent(self) -> socket.socket:
        """Connected, and that is all."""
        return socket.create_connection(("127.0.0.1", self.port))

    async def over_tls(self) -> ssl.SSLSocket:
        """Behind the handshake. Nobody reads from it unless the test does."""
        client = self.silent()
        return await asyncio.to_thread(
            self.trusting.wrap_socket, client, server_hostname="localhost"
        )


async def large(_: web.Request) -> web.Response:
    return web.Response(body=TOO_LARGE)


async def small(_: web.Request) -> web.Response:
    return web.Response(text="here")


@asynccontextmanager
async def served(home: Path, *, tls: bool, room: Room | None = None) -> AsyncIterator[Scene]:
    authority = Authority(home)
    context = port_tls("PORT", authority.certificate("server", hosts=("localhost",)), None)
    routes = web.Application()
    routes.add_routes([web.get("/large", large), web.get("/small", small)])
    refused: list[str] = []
    runner = Runner(
        routes,
        on_not_http=lambda: None,
        on_no_room=lambda: refused.append("no room"),
        room=room,
        shutdown_timeout=0.1,
    )
    _, port = await listen(runner, "127.0.0.1", 0, variables="PORT", tls=context if tls else None)
    try:
        yield Scene(runner, port, ssl.create_default_context(cafile=authority.file), refused)
    finally:
        await runner.cleanup()


def descriptors() -> int:
    gc.collect()  # else one that a test before has left is closed while they are compared
    return len(list(Path("/proc/self/fd").iterdir()))


async def ask(client: socket.socket, path: str) -> None:
    await asyncio.to_thread(client.sendall, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


async def before_its_handshake(scene: Scene) -> socket.socket:
    return scene.silent()


async def without_a_goodbye(scene: Scene) -> socket.socket:
    client = await scene.over_tls()
    await ask(client, "/small")
    assert (await asyncio.to_thread(client.recv, 1024)).startswith(b"HTTP/1.1 200")
    return client


async def that_reads_nothing(scene: Scene) -> socket.socket:
    client = await scene.over_tls()
    await ask(client, "/large")
    return client


async def that_reads_nothing_without_tls(scene: Scene) -> socket.socket:
    client = scene.silent()
    await ask(client, "/large")
    return client


@pytest.mark.parametrize(
    "client",
    [
        before_its_handshake,
        without_a_goodbye,
        that_reads_nothing,
        that_reads_nothing_without_tls,
    ],
)
async def test_a_stop_cuts_a_silent_client_off_and_leaves_nothing_open(
    client: Callable[[Scene], Awaitable[socket.socket]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "GOODBYE_SECONDS", 0.1)
    monkeypatch.setattr(listening, "HANDSHAKE_SECONDS", 60.0)
    tls = client is not that_reads_nothing_without_tls
    async with served(tmp_path, tls=tls) as scene:
        before = descriptors()
        with await client(scene):
            async with asyncio.timeout(SOON_SECONDS):
                # Stopped as soon as it is accepted, before asyncio has made it a connection.
                while descriptors() < before + 2:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0)
            began = time.monotonic()
            await scene.runner.cleanup()
            assert time.monotonic() - began < SOON_SECONDS
            # The client's own is more, the port that was listened on is less.
            assert descriptors() == before


async def test_a_client_that_begins_no_handshake_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "HANDSHAKE_SECONDS", 0.1)
    async with served(tmp_path, tls=True) as scene:
        with scene.silent() as client:
            client.settimeout(SOON_SECONDS)
            assert await asyncio.to_thread(client.recv, 1) == b""


async def test_handshakes_take_room_and_the_slowest_gives_way(tmp_path: Path) -> None:
    async with served(tmp_path, tls=True, room=Room(3, 1)) as scene:
        with ExitStack() as clients:
            silent = [clients.enter_context(scene.silent()) for _ in range(3)]
            asking = clients.enter_context(await scene.over_tls())
            await ask(asking, "/small")
            assert (await asyncio.to_thread(asking.recv, 1024)).startswith(b"HTTP/1.1 200")
            silent[0].settimeout(SOON_SECONDS)
            assert await asyncio.to_thread(silent[0].recv, 1) == b""
            silent[1].setblocking(False)
            with pytest.raises(BlockingIOError):
                silent[1].recv(1)
            assert scene.refused == ["no room"]
