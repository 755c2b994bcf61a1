"""One body on its way into Kafka, whatever brought it here: judged, published, acknowledged."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Tracer

from streams.bridge.intake import JSON, Accepted, Malformed, Skipped, judge
from streams.bridge.metrics import BridgeMetrics
from streams.bridge.spans import publishing
from streams.clock import Clock
from streams.core.envelope import InteractionEvent
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.settings import TopicNames
from streams.telemetry.tracing import inject_context

log = logging.getLogger(__name__)


class RecordPublisher(Protocol):
    """Collaborator: puts a record into Kafka."""

    async def publish(self, message: Message) -> Acknowledged:
        """Returns once it is acknowledged. Raises PublishError."""
        ...


class Delivery:
    """Puts events into ``events`` and what is no event into ``dead-letters``, byte for byte."""

    def __init__(
        self,
        *,
        publisher: RecordPublisher,
        topics: TopicNames,
        metrics: BridgeMetrics,
        tracer: Tracer,
        clock: Clock,
    ) -> None:
        self._publisher = publisher
        self._topics = topics
        self._metrics = metrics
        self._tracer = tracer
        self._clock = clock

    async def deliver(self, body: bytes, sender: Context) -> Acknowledged | Skipped | Malformed:
        """Returns when the bytes are where they belong, acknowledged: the sender may forget them.

        ``sender``: the trace context that came with the body. Raises PublishError; the body is
        then still the sender's to send again.
        """
        match judge(body):
            case Accepted(event):
                message = Message(
                    self._topics.events,
                    key=event.interaction_id.encode(),
                    value=body,
                    headers=[("content-type", JSON.encode())],
                )
                return await self._publish(message, sender, event)
            case Malformed() as malformed:
                await self._bury(body, malformed, sender)
                return malformed
            case Skipped() as skipped:
                return skipped

    async def _bury(self, body: bytes, malformed: Malformed, sender: Context) -> None:
        letter = malformed.dead_letter(body, self._clock.time())
        message = Message(
            self._topics.dead_letters,
            key=letter.key,
            value=letter.value,
            headers=letter.headers(),
        )
        at = await self._publish(message, sender)
        log.warning(
            "a body that is no event is in dead-letters: %s",
            malformed.error,
            extra={"field": malformed.field, "partition": at.partition, "offset": at.offset},
        )

    async def _publish(
        self, message: Message, sender: Context, event: InteractionEvent | None = None
    ) -> Acknowledged:
        with (
            self._metrics.publish_duration.labels(message.topic).time(),
            publishing(self._tracer, message.topic, event, sender) as published,
        ):
            traced = replace(message, headers=[*message.headers, *inject_context()])
            at = await self._publisher.publish(traced)
            published(at)
            return at
