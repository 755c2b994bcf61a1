"""The spans of the work on a record: one trace tells the whole story of an event.

The parent of ``process`` is the producer's span, out of the record's headers; ``publish`` is its
child, and so are the calls to the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.semconv._incubating.attributes.messaging_attributes import (
    MESSAGING_CONSUMER_GROUP_NAME,
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
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from streams.clock import Clock
from streams.core.records import Decision, Reason, Verdict
from streams.errors import OwnershipLost, RecordError
from streams.kafka.message import Message
from streams.kafka.publisher import AcknowledgedRun
from streams.telemetry.tracing import extract_context
from streams.worker.lanes.source_record import SourceRecord


class RecordSpans:
    """Makes them. What nobody listens to costs next to nothing: attributes are put together only
    for a span that is recorded."""

    def __init__(self, tracer: trace.Tracer, *, app_id: str, clock: Clock) -> None:
        self._tracer = tracer
        self._app_id = app_id
        self._clock = clock

    def begun(self, record: SourceRecord) -> Span:
        """The own span of a record that was worked on where it was taken up: it began then. The
        caller ends it."""
        ago = self._clock.monotonic() - record.taken_up_at
        return self._process(record, round((self._clock.time() - ago) * 1e9))

    @contextmanager
    def processing(self, record: SourceRecord, begun: Span | None = None) -> Iterator[Span]:
        """The record's own span, current for as long as it is worked on. ``begun``: if it has
        begun already, and the caller ends it."""
        span = begun or self._process(record)
        with trace.use_span(
            span, end_on_exit=begun is None, record_exception=False, set_status_on_exception=False
        ):
            try:
                yield span
            except Exception as failure:
                _note(span, failure)
                raise

    def publish(self, topic: str, parent: Span) -> Span:
        """Begin the span of publishing a record's outcome; the caller ends it."""
        if not parent.is_recording():
            return parent  # nobody will see a child of it either
        span = self._tracer.start_span(
            f"publish {topic}", context=trace.set_span_in_context(parent), kind=SpanKind.PRODUCER
        )
        if span.is_recording():
            span.set_attributes(
                {
                    MESSAGING_SYSTEM: MessagingSystemValues.KAFKA.value,
                    MESSAGING_OPERATION_NAME: "publish",
                    MESSAGING_OPERATION_TYPE: MessagingOperationTypeValues.SEND.value,
                    MESSAGING_DESTINATION_NAME: topic,
                }
            )
        return span

    def decided(self, span: Span, verdict: Verdict) -> None:
        """Note the verdict on the record's own span."""
        if not span.is_recording():
            return
        span.set_attributes(
            {
                "deduplication.hit": verdict.decision is Decision.DUPLICATE,
                "disposition.eligible": verdict.reason is Reason.ELIGIBLE,
                "disposition.reason": verdict.reason.value,
                "processing.latency_ms": verdict.latency_ms,
            }
        )
        if verdict.patch_status is not None:
            span.set_attribute("patch.status", verdict.patch_status)

    def died(self, span: Span, verdict: Verdict) -> None:
        """Note on the record's own span why there is a dead letter."""
        span.set_attribute(ERROR_TYPE, verdict.reason.value)
        span.set_status(Status(StatusCode.ERROR, verdict.reason.value))

    def stored(self, span: Span, partition: int, offset: int) -> None:
        """Note on a ``publish`` span where Kafka has stored the outcome, and end it."""
        if span.is_recording():
            span.set_attribute(MESSAGING_DESTINATION_PARTITION_ID, str(partition))
            span.set_attribute(MESSAGING_KAFKA_OFFSET, offset)
        span.end()

    def all_stored(
        self, spans: Sequence[Span], messages: Sequence[Message], runs: Iterable[AcknowledgedRun]
    ) -> None:
        """The same of outcomes that were published together, each with its span."""
        if not any(span.is_recording() for span in spans):
            return
        places = {
            id(message): (run.partition, offset)
            for run in runs
            for offset, message in enumerate(run.messages, run.offset)
        }
        for message, span in zip(messages, spans, strict=True):
            self.stored(span, *places[id(message)])

    def failed(self, span: Span, failure: BaseException) -> None:
        """Note on a span why its work came to nothing, and end it."""
        _note(span, failure)
        span.end()

    def _process(self, record: SourceRecord, start_ns: int | None = None) -> Span:
        topic = record.tp.topic
        span = self._tracer.start_span(
            f"process {topic}",
            context=extract_context(record.headers),
            kind=SpanKind.CONSUMER,
            start_time=start_ns,
        )
        if span.is_recording():
            span.set_attributes(self._attributes(record))
        return span

    def _attributes(self, record: SourceRecord) -> dict[str, str | int]:
        attributes: dict[str, str | int] = {
            MESSAGING_SYSTEM: MessagingSystemValues.KAFKA.value,
            MESSAGING_OPERATION_NAME: "process",
            MESSAGING_OPERATION_TYPE: MessagingOperationTypeValues.PROCESS.value,
            MESSAGING_DESTINATION_NAME: record.tp.topic,
            MESSAGING_DESTINATION_PARTITION_ID: str(record.tp.partition),
            MESSAGING_CONSUMER_GROUP_NAME: self._app_id,
            MESSAGING_KAFKA_OFFSET: record.offset,
        }
        event = record.event
        if not isinstance(event, RecordError):
            attributes[MESSAGING_KAFKA_MESSAGE_KEY] = event.interaction_id
            attributes["interaction.id"] = event.interaction_id
            known = {
                "interaction.type": event.interaction_type,
                "event.id": event.event_id,
                "event.source": event.source,
            }
            attributes |= {name: value for name, value in known.items() if value is not None}
        return attributes


def _note(span: Span, failure: BaseException) -> None:
    if isinstance(failure, OwnershipLost):
        # Not an error of the record: its partition's next owner decides it.
        span.set_attribute("worker.ownership_lost", True)
        return
    span.set_attribute(ERROR_TYPE, type(failure).__name__)
    span.record_exception(failure)
    span.set_status(Status(StatusCode.ERROR, type(failure).__name__))
