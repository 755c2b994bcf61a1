"""Where a body goes, and the span it goes under, against a publisher that remembers."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import CollectorRegistry

from streams.bridge.delivery import Delivery
from streams.bridge.intake import Judge, Malformed, Skipped, judge_interaction, judge_of
from streams.bridge.metrics import BridgeMetrics
from streams.clock import SystemClock
from streams.core.conversations.events import needed
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.errors import PublishError
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.kafka.settings import TopicNames
from streams.telemetry.tracing import extract_context
from streams.timestamps import epoch_ms
from tests.support.conversation_events import raw

EVENT = {
    "id": "e-1",
    "source": "aws.partner/genesys.com",
    "detail-type": UPDATE_DETAIL_TYPE,
    "detail": {"interactionId": "i-1", "sequenceId": 0, "interactionType": "VOICE"},
}
# Spaces as no encoder here would put them: what is stored must be these very bytes.
BODY = b" " + json.dumps(EVENT, indent=3).encode() + b"\n"


@dataclass(slots=True)
class Published:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


@dataclass(slots=True)
class RememberingPublisher:
    failure: Exception | None = None
    records: list[Published] = field(default_factory=list)

    async def publish(self, message: Message) -> Acknowledged:
        headers = dict(message.headers)
        self.records.append(Published(message.topic, message.key, message.value, headers))
        if self.failure is not None:
            raise self.failure
        return Acknowledged(message.topic, 3, 41)


class Scene:
    def __init__(self, judge: Judge = judge_interaction) -> None:
        self.publisher = RememberingPublisher()
        self.registry = CollectorRegistry()
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._delivery = Delivery(
            judge=judge,
            publisher=self.publisher,
            topics=TopicNames("p."),
            metrics=BridgeMetrics(self.registry),
            tracer=provider.get_tracer("test"),
            clock=SystemClock(),
        )

    async def deliver(
        self, body: bytes, sender: Context | None = None
    ) -> Acknowledged | Skipped | Malformed:
        return await self._delivery.deliver(body, sender or Context())

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_an_event_goes_to_events_byte_for_byte_under_its_interaction(scene: Scene) -> None:
    assert await scene.deliver(BODY) == Acknowledged("p.events", 3, 41)
    (record,) = scene.publisher.records
    assert (record.topic, record.key, record.value) == ("p.events", b"i-1", BODY)
    assert record.headers["content-type"] == b"application/json"
    received_at = epoch_ms(record.headers["bridge.received-at"].decode())
    assert received_at is not None
    assert abs(received_at / 1000 - time.time()) < 60


async def test_of_a_conversations_event_what_is_needed_goes_to_events() -> None:
    scene = Scene(judge_of("conversations", "needed"))
    body = raw("acw", ani="tel:+12025550123")
    assert await scene.deliver(body) == Acknowledged("p.events", 3, 41)
    (record,) = scene.publisher.records
    assert (record.topic, record.key, record.value) == ("p.events", b"c-1", needed(body))
    (span,) = scene.spans
    attributes = dict(span.attributes or {})
    assert attributes["interaction.id"] == attributes["messaging.kafka.message.key"] == "c-1"
    assert attributes["interaction.type"] == "voice"


async def test_what_is_no_event_goes_to_dead_letters_untouched(scene: Scene) -> None:
    assert await scene.deliver(b"\x00{") == Malformed(
        "not JSON: Expecting value (character 0)", None
    )
    (record,) = scene.publisher.records
    assert (record.topic, record.key, record.value) == ("p.dead-letters", None, b"\x00{")
    assert record.headers["dlq.reason"] == b"malformed-event"
    assert record.headers["dlq.stage"] == b"bridge"
    assert "traceparent" in record.headers


async def test_what_is_refused_of_an_interaction_goes_to_dead_letters_under_its_key(
    scene: Scene,
) -> None:
    body = BODY.replace(b'"sequenceId": 0', b'"sequenceId": 0.5')
    delivered = await scene.deliver(body)
    assert isinstance(delivered, Malformed)
    (record,) = scene.publisher.records
    assert (record.topic, record.key, record.value) == ("p.dead-letters", b"i-1", body)


async def test_another_detail_type_needs_no_kafka(scene: Scene) -> None:
    scene.publisher.failure = PublishError("no Kafka")
    assert await scene.deliver(b'{"detail-type": "other"}') == Skipped()
    assert scene.publisher.records == []
    assert scene.spans == ()


@pytest.mark.parametrize("body", [BODY, b"no event"])
async def test_without_an_acknowledgement_nothing_is_delivered(scene: Scene, body: bytes) -> None:
    scene.publisher.failure = PublishError("no Kafka")
    with pytest.raises(PublishError):
        await scene.deliver(body)


async def test_the_span_follows_the_messaging_conventions(scene: Scene) -> None:
    await scene.deliver(BODY)
    (span,) = scene.spans
    assert (span.name, span.kind) == ("publish p.events", SpanKind.PRODUCER)
    assert span.status.status_code is StatusCode.UNSET
    expected: dict[str, Any] = {
        "messaging.system": "kafka",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": "p.events",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 41,
        "messaging.kafka.message.key": "i-1",
        "event.id": "e-1",
        "event.source": "aws.partner/genesys.com",
        "interaction.id": "i-1",
        "interaction.type": "voice",
    }
    assert dict(span.attributes or {}) == expected


async def test_the_record_carries_the_context_of_its_span(scene: Scene) -> None:
    await scene.deliver(BODY)
    (span,) = scene.spans
    context = span.get_span_context()
    assert context is not None
    assert span.parent is None
    carried = scene.publisher.records[0].headers["traceparent"].decode()
    assert carried.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")


async def test_a_trace_begun_by_the_sender_goes_on(scene: Scene) -> None:
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await scene.deliver(BODY, extract_context([("traceparent", sent.encode())]))
    (span,) = scene.spans
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" in sent
    carried = scene.publisher.records[0].headers["traceparent"].decode()
    assert carried.split("-")[1] == sent.split("-")[1]
    assert carried.split("-")[2] != sent.split("-")[2]


async def test_a_failure_is_an_error_on_the_span_and_still_measured(scene: Scene) -> None:
    scene.publisher.failure = PublishError("no Kafka")
    with pytest.raises(PublishError):
        await scene.deliver(BODY)
    (span,) = scene.spans
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "PublishError"
    measured = scene.registry.get_sample_value(
        "genesys_streams_bridge_publish_duration_seconds_count", {"topic": "p.events"}
    )
    assert measured == 1
