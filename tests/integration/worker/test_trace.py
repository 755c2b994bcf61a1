"""One trace for one event: from the bridge through Kafka to each API try and the outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from prometheus_client import CollectorRegistry

from streams.bridge.delivery import Delivery
from streams.bridge.intake import judge_interaction
from streams.bridge.metrics import BridgeMetrics
from streams.clock import SystemClock
from streams.core.records import Decision
from streams.core.retry_policy import Backoff, CallPolicy
from streams.genesys.client import GenesysClient, open_client
from streams.genesys.settings import GenesysSettings
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.route import Route
from streams.local.simulator.server import serving
from streams.telemetry.tracing import extract_context
from streams.worker.metrics import WorkerMetrics
from tests.support.incarnation import Worker
from tests.support.world import EVENTS, TOPICS, World, event

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER_SPAN = "00f067aa0ba902b7"
ROUTE = "/api/v2/interactions/{id}"
TRUTH: dict[str, Any] = {
    "id": "i-1",
    "type": "voice",
    "state": "completed",
    "dispositionCode": None,
    "wrapUpCode": None,
    "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"},
    "timeline": [],
}


@dataclass
class Topic:
    """Where the bridge publishes to."""

    headers: tuple[tuple[str, bytes], ...] = ()
    seen: list[str] = field(default_factory=list)

    async def publish(self, message: Message) -> Acknowledged:
        self.seen.append(message.topic)
        self.headers = tuple(message.headers)
        return Acknowledged(message.topic, EVENTS.partition, 0)


class Traced:
    """Spans of everything, in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer: Tracer = provider.get_tracer("test")

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def one(self, name: str) -> ReadableSpan:
        (found,) = (span for span in self.spans if span.name == name)
        return found

    def all(self, name: str) -> list[ReadableSpan]:
        found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)


def parent(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def own(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


@pytest.fixture
def traced() -> Traced:
    return Traced()


@pytest.fixture
async def client(traced: Traced) -> AsyncIterator[GenesysClient]:
    """The real client; the API fails its first GET."""
    plan = FaultPlan(scripts=(Script((Fault(status=500),), route=Route.GET),))
    async with (
        serving(Simulator([TRUTH], plan=plan)) as url,
        open_client(
            GenesysSettings(url, url, "client", "secret"),
            in_flight=1,
            observer=WorkerMetrics(CollectorRegistry()),
            clock=SystemClock(),
            random=Random(1),
            policy=CallPolicy(backoff=Backoff(base=0.001, cap=0.001)),
            tracer=traced.tracer,
        ) as opened,
    ):
        yield opened


async def through_the_bridge(traced: Traced, body: bytes) -> tuple[tuple[str, bytes], ...]:
    """The headers that the record has in Kafka."""
    topic = Topic()
    delivery = Delivery(
        judge=judge_interaction,
        publisher=topic,
        topics=TOPICS,
        metrics=BridgeMetrics(CollectorRegistry()),
        tracer=traced.tracer,
        clock=SystemClock(),
    )
    await delivery.deliver(body, caller())
    assert topic.seen == [TOPICS.events]
    return topic.headers


def caller() -> Context:
    return extract_context([("traceparent", f"00-{CALLER}-{CALLER_SPAN}-01".encode())])


async def test_the_whole_tree(traced: Traced, client: GenesysClient) -> None:
    world = World()
    worker = Worker(world, tracer=traced.tracer, api=client)
    headers = await through_the_bridge(traced, event())

    await worker.process(event(), headers=headers)

    into = traced.one(f"publish {TOPICS.events}")
    process = traced.one(f"process {TOPICS.events}")
    failed, fetched = traced.all("GET")
    patched = traced.one("PATCH")
    published = traced.one(f"publish {TOPICS.outcomes}")
    assert {f"{span.context.trace_id:032x}" for span in traced.spans if span.context} == {CALLER}
    assert len(traced.spans) == 6
    assert parent(into) == CALLER_SPAN
    assert parent(process) == own(into)
    assert {parent(span) for span in (failed, fetched, patched, published)} == {own(process)}
    kinds = [span.kind for span in (into, process, failed, fetched, patched, published)]
    assert kinds == [
        SpanKind.PRODUCER,
        SpanKind.CONSUMER,
        SpanKind.CLIENT,
        SpanKind.CLIENT,
        SpanKind.CLIENT,
        SpanKind.PRODUCER,
    ]
    assert world.outcomes[0].trace_id == CALLER
    assert world.sent[0].named["traceparent"] == f"00-{CALLER}-{own(published)}-01"


async def test_what_the_spans_say(traced: Traced, client: GenesysClient) -> None:
    world = World()
    worker = Worker(world, tracer=traced.tracer, api=client)

    await worker.process(event(), headers=await through_the_bridge(traced, event()))

    process = attributes(traced.one(f"process {TOPICS.events}"))
    latency = process.pop("processing.latency_ms")
    assert isinstance(latency, float)
    assert process == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": TOPICS.events,
        "messaging.destination.partition.id": str(EVENTS.partition),
        "messaging.consumer.group.name": "test-app",
        "messaging.kafka.offset": 0,
        "messaging.kafka.message.key": "i-1",
        "interaction.id": "i-1",
        "interaction.type": "voice",
        "event.id": "event-1",
        "event.source": "aws.partner/genesys.com",
        "deduplication.hit": False,
        "disposition.eligible": True,
        "disposition.reason": "eligible",
        "patch.status": 200,
    }
    failed, fetched = (attributes(span) for span in traced.all("GET"))
    assert failed["http.response.status_code"] == 500
    assert failed["error.type"] == "500"
    assert "http.request.resend_count" not in failed
    assert fetched["http.response.status_code"] == 200
    assert fetched["http.request.resend_count"] == 1
    patched = attributes(traced.one("PATCH"))
    assert patched["http.request.method"] == "PATCH"
    assert patched["url.template"] == ROUTE
    into = attributes(traced.one(f"publish {TOPICS.events}"))
    published = attributes(traced.one(f"publish {TOPICS.outcomes}"))
    for span, topic in ((into, TOPICS.events), (published, TOPICS.outcomes)):
        assert span["messaging.operation.type"] == "send"
        assert span["messaging.destination.name"] == topic
        assert "messaging.kafka.offset" in span


async def test_a_duplicate_is_no_error(traced: Traced, client: GenesysClient) -> None:
    world = World()
    worker = Worker(world, tracer=traced.tracer, api=client)
    await worker.process(event(), 0)

    await worker.process(event(), 1)

    assert world.outcomes[1].decision is Decision.DUPLICATE
    again = traced.all(f"process {TOPICS.events}")[1]
    assert attributes(again)["deduplication.hit"] is True
    assert again.status.status_code is not StatusCode.ERROR


async def test_a_record_that_fails_is_an_error(traced: Traced) -> None:
    world = World()

    await Worker(world, tracer=traced.tracer).process(b"no event", key=None)

    process = traced.one(f"process {TOPICS.events}")
    assert process.status.status_code is StatusCode.ERROR
    assert attributes(process)["disposition.reason"] == "malformed-event"
