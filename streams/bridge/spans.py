"""The span of one record published to Kafka, after OpenTelemetry's messaging conventions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.semconv._incubating.attributes.messaging_attributes import (
    MESSAGING_DESTINATION_NAME,
    MESSAGING_DESTINATION_PARTITION_ID,
    MESSAGING_KAFKA_MESSAGE_KEY,
    MESSAGING_KAFKA_OFFSET,
    MESSAGING_OPERATION_NAME,
    MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
    MessagingOperationTypeValues,
    MessagingSystemValues,
)
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import SpanKind, Tracer

from streams.bridge.intake import Accepted
from streams.errors import PublishError
from streams.kafka.publisher import Acknowledged


@contextmanager
def publishing(
    tracer: Tracer, topic: str, event: Accepted | None, parent: Context
) -> Iterator[Callable[[Acknowledged], None]]:
    """The span ``publish <topic>``, current inside the block. Yields a function to call with the
    place of the acknowledged record.

    ``parent``: the sender's context. When it has a ``traceparent`` the sender's trace goes on.
    """
    attributes: dict[str, str] = {
        MESSAGING_SYSTEM: MessagingSystemValues.KAFKA.value,
        MESSAGING_OPERATION_NAME: "publish",
        MESSAGING_OPERATION_TYPE: MessagingOperationTypeValues.SEND.value,
        MESSAGING_DESTINATION_NAME: topic,
    }
    if event is not None:
        known = {
            MESSAGING_KAFKA_MESSAGE_KEY: event.interaction_id,
            "event.id": event.event_id,
            "event.source": event.source,
            "interaction.id": event.interaction_id,
            "interaction.type": event.interaction_type,
        }
        attributes |= {name: value for name, value in known.items() if value is not None}
    with tracer.start_as_current_span(
        f"publish {topic}", context=parent, kind=SpanKind.PRODUCER, attributes=attributes
    ) as span:

        def published(at: Acknowledged) -> None:
            span.set_attribute(MESSAGING_DESTINATION_PARTITION_ID, str(at.partition))
            span.set_attribute(MESSAGING_KAFKA_OFFSET, at.offset)

        try:
            yield published
        except (PublishError, TimeoutError) as failure:
            span.set_attribute(ERROR_TYPE, type(failure).__name__)
            raise
