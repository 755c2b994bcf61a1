"""What the spans of a look say of its legs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from streams.errors import BadRequest, PublishError
from streams.kafka.message import Message
from streams.kafka.publisher import AcknowledgedRun
from tests.support.conversation_desk import Cloud
from tests.support.conversation_world import ConversationWorker, ConversationWorld, live
from tests.support.incarnation import RecordingPublisher
from tests.support.world import TOPICS
from tests.support.wrap_up_model import states
from tests.unit.worker.conversations.calls import TIMED_OUT, log_of


class Exported:
    """The spans of a worker."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def errors(self, name: str) -> list[object]:
        return [
            (span.attributes or {}).get("error.type")
            for span in self.named(name)
            if span.status.status_code is StatusCode.ERROR
        ]


async def test_a_look_whose_leg_fails_is_an_error() -> None:
    fault = BadRequest("no", status=400)
    world, spans = (
        ConversationWorld(cloud=Cloud(states(TIMED_OUT), patch_faults=(fault,))),
        Exported(),
    )
    await live(ConversationWorker(world, tracer=spans.tracer), log_of(TIMED_OUT), Random(1))
    assert len(world.dead_letters) == 1
    assert spans.errors(f"process {TOPICS.retries}") == ["bad-request"]
    assert spans.errors(f"process {TOPICS.events}") == []


async def test_a_legs_outcome_has_its_place_in_kafka() -> None:
    world, spans = ConversationWorld(cloud=Cloud(states(TIMED_OUT))), Exported()
    await live(ConversationWorker(world, tracer=spans.tracer), log_of(TIMED_OUT), Random(1))
    published = spans.named(f"publish {TOPICS.outcomes}")
    assert len(published) == len(world.outcomes)
    places = {(span.attributes or {})["messaging.kafka.offset"] for span in published}
    sent = {number for number, each in enumerate(world.sent) if each.topic == TOPICS.outcomes}
    assert places == sent


async def test_a_legs_outcome_that_could_not_be_published_is_an_error() -> None:
    world, spans = ConversationWorld(cloud=Cloud(states(TIMED_OUT))), Exported()

    class GoneWithTheCode(RecordingPublisher):
        async def enqueue_all(
            self, messages: Sequence[Message]
        ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
            if world.cloud.applied:
                raise PublishError("Kafka is away")
            return await super().enqueue_all(messages)

    worker = ConversationWorker(world, publisher=GoneWithTheCode(world), tracer=spans.tracer)
    with pytest.raises(PublishError):
        await live(worker, log_of(TIMED_OUT), Random(1))
    assert spans.errors(f"publish {TOPICS.outcomes}") == ["PublishError"]
    assert spans.errors(f"process {TOPICS.retries}") == ["PublishError"]
