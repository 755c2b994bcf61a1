"""A client that opens more connections than the process may have descriptors."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from streams.settings import Settings
from tests.integration.bridge.gated import until
from tests.support.bridges import LISTENING, ROOT, Program, event, post, until_ready

DESCRIPTORS = 60

# Half of them (see Room).
MOST_CONNECTIONS = 30

REFUSED = "genesys_streams_bridge_connections_refused_total"
OPEN = "genesys_streams_bridge_connections"

LIMITED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}))
from streams.cli.main import run
sys.exit(run(["bridge", "http"]))
"""

# A line for the start, for Kafka, for the end, and one in ten seconds of what is refused.
MOST_LINES = 12

# What a process may take for things that have nothing to do with how many connections came.
MEMORY_MIB = 15.0


@pytest.fixture
def bridge(settings: Settings, tmp_path: Path) -> Iterator[Program]:
    """With the broker behind it, and 60 descriptors."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "BRIDGE_PORT": "0",
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "TOPIC_PREFIX": settings.topic_prefix,
    }
    program = Program("-c", LIMITED, env=env, cwd=tmp_path)
    yield program
    program.end()


class Connection:
    """One that is kept open, for one request after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, head: str, body: bytes = b"") -> tuple[int, bytes]:
        self._writer.write(
            f"{head} HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        async with asyncio.timeout(5):
            answer = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"Content-Length: (\d+)", answer)
            assert length, answer
            return int(answer.split()[1]), await self._reader.readexactly(int(length[1]))

    async def metric(self, name: str) -> float:
        _, page = await self.ask("GET /metrics")
        (line,) = (each for each in page.decode().splitlines() if each.startswith(f"{name} "))
        return float(line.split()[-1])


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


@contextmanager
def flood(url: str, times: int) -> Iterator[None]:
    """So many connections that say nothing."""
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    with ExitStack() as stack:
        for _ in range(times):
            to = (address.hostname, address.port)
            stack.enter_context(socket.create_connection(to, timeout=5))
        yield


async def test_those_it_has_are_served_on_and_it_recovers(bridge: Program) -> None:
    url = bridge.wait_for(LISTENING.pattern)[1]
    await until_ready(url)
    async with connected(url) as held:
        assert (await held.ask("POST /events", event()))[0] == 200
        with flood(url, 120):
            refused = 120 + 1 - MOST_CONNECTIONS
            async with asyncio.timeout(20):
                while await held.metric(REFUSED) < refused:
                    assert bridge.descriptors < DESCRIPTORS
            assert await held.metric(OPEN) == MOST_CONNECTIONS
            assert (await held.ask("POST /events", event()))[0] == 200
            assert (await held.ask("GET /readyz"))[0] == 200
    await until(lambda: bridge.descriptors < DESCRIPTORS / 2)
    assert (await post(url, event()))[0] == 200
    assert bridge.output.count("a connection is refused, as many are open as there may be") == 1
    assert "out of system resource" not in bridge.output
    assert bridge.output.count("\n") <= MOST_LINES, bridge.output


async def test_a_client_that_comes_again_and_again_costs_neither_log_nor_memory(
    bridge: Program,
) -> None:
    url = bridge.wait_for(LISTENING.pattern)[1]
    await until_ready(url)
    async with connected(url) as held:

        async def come_again(times: int) -> None:
            for _ in range(times):
                with flood(url, 50):
                    pass
                assert (await held.ask("POST /events", event()))[0] == 200

        with flood(url, 120):
            await come_again(20)
            before = bridge.resident_mib
            await come_again(60)
            assert bridge.resident_mib - before < MEMORY_MIB
    assert "out of system resource" not in bridge.output
    assert "Traceback" not in bridge.output
    assert bridge.output.count("\n") <= MOST_LINES, bridge.output
