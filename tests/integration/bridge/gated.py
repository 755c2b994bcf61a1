"""A bridge on a real socket whose publisher waits for the test."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from opentelemetry import trace
from prometheus_client import CollectorRegistry

from streams.addresses import http_url
from streams.bridge.delivery import Delivery
from streams.bridge.http.front import HttpBridge, Limits
from streams.bridge.http.metrics import HttpMetrics
from streams.bridge.http.run import IDLE_SECONDS, make_runner
from streams.bridge.intake import judge_interaction
from streams.clock import SystemClock
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.kafka.settings import TopicNames
from streams.listening import listen

HEAD = b"POST /events HTTP/1.1\r\nHost: b\r\nContent-Type: application/json\r\n"


class GatedPublisher:
    """Acknowledges while the gate is open; fails at once when it is told to."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.failure: Exception | None = None
        self.records: list[Message] = []

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    async def publish(self, message: Message) -> Acknowledged:
        self.records.append(message)
        if self.failure is not None:
            raise self.failure
        await self.gate.wait()
        return Acknowledged(message.topic, 0, 0)


class Scene:
    """A bridge with a publisher that waits for the test."""

    def __init__(self, limits: Limits, api_keys: Sequence[str]) -> None:
        self.publisher = GatedPublisher()
        self._registry = CollectorRegistry()
        metrics = HttpMetrics(self._registry)
        delivery = Delivery(
            judge=judge_interaction,
            publisher=self.publisher,
            topics=TopicNames("p."),
            metrics=metrics,
            tracer=trace.get_tracer("test"),
            clock=SystemClock(),
        )
        self.bridge = HttpBridge(
            delivery=delivery,
            not_ready=lambda: None,
            api_keys=api_keys,
            metrics=metrics,
            limits=limits,
        )
        self.url = ""
        self.connections: Callable[[], int] = lambda: 0

    @property
    def in_flight(self) -> float | None:
        return self._registry.get_sample_value("genesys_streams_bridge_in_flight")

    def answered(self, name: str) -> float | None:
        return self._registry.get_sample_value(
            "genesys_streams_bridge_requests_total", {"answer": name}
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def busy(self) -> None:
        await until(lambda: self.in_flight == 1)

    async def idle(self) -> None:
        await until(lambda: self.in_flight == 0)


@asynccontextmanager
async def serving(
    limits: Limits, *, api_keys: Sequence[str] = (), idle_seconds: float = IDLE_SECONDS
) -> AsyncIterator[Scene]:
    scene = Scene(limits, api_keys)
    runner = make_runner(scene.bridge, idle_seconds=idle_seconds)
    scene.connections = lambda: runner.connections
    try:
        scene.url = http_url(*await listen(runner, "127.0.0.1", 0, variables=""))
        yield scene
    finally:
        scene.publisher.gate.set()
        await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def status_of(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(5):
        line = await reader.readline()
    match = re.match(rb"HTTP/1\.[01] (\d+) ", line)
    assert match, line
    return int(match[1])
