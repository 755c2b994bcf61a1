"""Takes one body into Kafka: judges it, publishes it, waits for the acknowledgement. It does not
know how the body came."""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec
from opentelemetry.context import Context
from opentelemetry.trace import Tracer

from streams.bridge.intake import JSON, Accepted, Judge, Malformed, Skipped
from streams.bridge.metrics import BridgeMetrics
from streams.bridge.spans import publishing
from streams.clock import Clock, rfc3339
from streams.kafka.message import Headers, Message
from streams.kafka.publisher import Acknowledged
from streams.kafka.settings import TopicNames
from streams.telemetry.tracing import inject_context
from streams.wire.events import RECEIVED_AT

log = logging.getLogger(__name__)


class RecordPublisher(Protocol):
    """Collaborator: puts a record into Kafka."""

    async def publish(self, message: Message) -> Acknowledged:
        """Returns once the record is acknowledged. Raises PublishError."""
        ...


class Delivery:
    """Puts events into ``events`` and bodies that are not events into ``dead-letters``, those byte
    for byte.

    ``judge``: says what a body is, and what of an event is stored.
    """

    def __init__(
        self,
        *,
        judge: Judge,
        publisher: RecordPublisher,
        topics: TopicNames,
        metrics: BridgeMetrics,
        tracer: Tracer,
        clock: Clock,
    ) -> None:
        self._judge = judge
        self._publisher = publisher
        self._topics = topics
        self._metrics = metrics
        self._tracer = tracer
        self._clock = clock

    async def deliver(
        self, body: bytes, sender: Context, also: Headers = ()
    ) -> Acknowledged | Skipped | Malformed:
        """Returns when the sender may forget the body: Kafka has acknowledged it, or it was
        skipped.

        ``sender``: the trace context that came with the body. ``also``: further headers of the
        record, whichever topic it is for. Raises PublishError; the sender then has to send the body
        again.
        """
        received_at = rfc3339(self._clock.time())
        match self._judge(body):
            case Accepted() as accepted:
                message = Message(
                    self._topics.events,
                    key=accepted.interaction_id.encode(),
                    value=accepted.value,
                    headers=[
                        ("content-type", JSON.encode()),
                        (RECEIVED_AT, received_at.encode()),
                        *also,
                    ],
                )
                return await self._publish(message, sender, accepted)
            case Malformed() as malformed:
                await self._publish_dead_letter(body, malformed, sender, also)
                return malformed
            case Skipped() as skipped:
                return skipped

    async def _publish_dead_letter(
        self, body: bytes, malformed: Malformed, sender: Context, also: Headers
    ) -> None:
        letter = malformed.dead_letter(body, self._clock.time())
        message = Message(
            self._topics.dead_letters,
            key=letter.key,
            value=letter.value,
            headers=[*letter.headers(), *also],
        )
        at = await self._publish(message, sender)
        log.warning(
            "a body that is no event is in dead-letters: %s",
            malformed.error,
            extra={"field": malformed.field, "partition": at.partition, "offset": at.offset},
        )

    async def _publish(
        self, message: Message, sender: Context, accepted: Accepted | None = None
    ) -> Acknowledged:
        with (
            publishing(self._tracer, message.topic, accepted, sender) as published,
            self._metrics.published(message.topic),
        ):
            traced = msgspec.structs.replace(message, headers=[*message.headers, *inject_context()])
            at = await self._publisher.publish(traced)
            published(at)
            return at
