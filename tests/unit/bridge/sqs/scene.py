"""A bridge from a queue in memory into a publisher that waits for the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from opentelemetry import trace
from prometheus_client import CollectorRegistry

from streams.bridge.delivery import Delivery
from streams.bridge.intake import judge_interaction
from streams.bridge.sqs.front import SqsBridge, SqsPolicy
from streams.bridge.sqs.metrics import SqsMetrics
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.retry_policy import Backoff
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.kafka.settings import TopicNames
from tests.support.memory_queue import FastClock, MemoryQueue
from tests.support.workers import eventually

POLICY = SqsPolicy(
    backoff=Backoff(base=1.0, cap=2.0),
    # Real seconds, as the drain has them.
    last_polls=0.3,
    last_deliveries=0.3,
    last_deletions=0.3,
    last_returns=0.3,
)


def event(interaction_id: str) -> str:
    return json.dumps(
        {
            "detail-type": UPDATE_DETAIL_TYPE,
            "detail": {"interactionId": interaction_id, "sequenceId": 1},
        }
    )


class GatedPublisher:
    """Acknowledges while the gate is open; raises the failure that is set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.records: list[Message] = []

    async def publish(self, message: Message) -> Acknowledged:
        if self.failure is not None:
            raise self.failure
        await self.gate.wait()
        self.records.append(message)
        return Acknowledged(message.topic, 0, len(self.records))

    def keys(self, topic: str = "p.events") -> list[bytes | None]:
        return [record.key for record in self.records if record.topic == topic]


class Scene:
    def __init__(self) -> None:
        self.clock = FastClock()
        self.queue = MemoryQueue(self.clock)
        self.publisher = GatedPublisher()
        self.kafka_trouble: str | None = None
        self.registry = CollectorRegistry()
        self.bridge = self._bridge(POLICY)

    def _bridge(self, policy: SqsPolicy) -> SqsBridge:
        metrics = SqsMetrics(self.registry)
        delivery = Delivery(
            judge=judge_interaction,
            publisher=self.publisher,
            topics=TopicNames("p."),
            metrics=metrics,
            tracer=trace.get_tracer("test"),
            clock=self.clock,
        )
        return SqsBridge(
            queue=self.queue,
            delivery=delivery,
            kafka_trouble=lambda: self.kafka_trouble,
            metrics=metrics,
            clock=self.clock,
            random=Random(1),
            policy=policy,
        )

    def use(self, policy: SqsPolicy) -> None:
        self.registry = CollectorRegistry()
        self.bridge = self._bridge(policy)

    def measured(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(f"genesys_streams_bridge_{name}", labels)
        assert value is not None, name
        return value

    def ended(self, result: str) -> float:
        return self.measured("messages_total", result=result)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(self.bridge.run(stop))
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(10):
                await task

    async def until(self, holds: Callable[[], object], what: str) -> None:
        await eventually(holds, 10, what, every=0.01)

    async def pass_time(self, seconds: float) -> None:
        """Of the queue's clock, with the loop running."""
        await self.clock.sleep(seconds)
