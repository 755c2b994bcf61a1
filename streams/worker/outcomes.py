"""Publishes the outcome, dead letter or deferral of a record, and traces the work on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import msgspec
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
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from streams.clock import rfc3339
from streams.core.envelope import InteractionEvent
from streams.core.faults import MESSAGE_LENGTH
from streams.core.foreign_text import foreign_text
from streams.core.records import Decision, PutOff, Reason, Verdict
from streams.errors import OwnershipLost, RecordTooLarge
from streams.kafka.message import Message
from streams.kafka.publisher import Publisher
from streams.kafka.settings import TopicNames
from streams.telemetry.tracing import extract_context, inject_context
from streams.wire.dead_letters import DeadLetter, Stage
from streams.wire.outcomes import Outcome, encode_outcome, outcome_headers, outcome_id
from streams.wire.retries import retry_headers
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)

_UNSAMPLED_TRACE = 0


class OutcomePublisher:
    """Publishes outcomes, dead letters and deferrals, waits for each acknowledgement, and keeps the
    record's span."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        topics: TopicNames,
        app_id: str,
        metrics: WorkerMetrics,
        tracer: trace.Tracer,
    ) -> None:
        self._publisher = publisher
        self._topics = topics
        self._app_id = app_id
        self._metrics = metrics
        self._tracer = tracer

    @contextmanager
    def process(self, record: SourceRecord) -> Iterator[Span]:
        """The record's own span, current for as long as its lane works on it.

        Its parent is the producer's span, so that one trace has the whole story of an event.
        """
        topic = record.tp.topic
        attributes: dict[str, str | int] = {
            MESSAGING_SYSTEM: MessagingSystemValues.KAFKA.value,
            MESSAGING_OPERATION_NAME: "process",
            MESSAGING_OPERATION_TYPE: MessagingOperationTypeValues.PROCESS.value,
            MESSAGING_DESTINATION_NAME: topic,
            MESSAGING_DESTINATION_PARTITION_ID: str(record.tp.partition),
            MESSAGING_CONSUMER_GROUP_NAME: self._app_id,
            MESSAGING_KAFKA_OFFSET: record.offset,
        }
        if isinstance(record.event, InteractionEvent):
            attributes[MESSAGING_KAFKA_MESSAGE_KEY] = record.event.interaction_id
            attributes["interaction.id"] = record.event.interaction_id
            known = {
                "interaction.type": record.event.interaction_type,
                "event.id": record.event.event_id,
                "event.source": record.event.source,
            }
            attributes |= {name: value for name, value in known.items() if value is not None}
        with self._tracer.start_as_current_span(
            f"process {topic}",
            context=extract_context(record.headers),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except OwnershipLost:
                # Not an error of the record: its partition's next owner decides it.
                span.set_attribute("worker.ownership_lost", True)
                raise
            except Exception as failure:
                span.record_exception(failure)
                span.set_status(Status(StatusCode.ERROR, type(failure).__name__))
                raise

    async def publish(self, record: SourceRecord, verdict: Verdict, span: Span) -> None:
        """Publish the dead letter of a failed record, then the outcome, then the copy of a record
        put off.

        The order matters: a record that comes back from ``retries`` proves that the outcome of its
        deferral was published. The caller has checked ownership. Raises OwnershipLost,
        PublishError.
        """
        if record.source.topic == self._topics.retries:
            # Another producer wrote this record to `retries`: it belongs to no event, so it has no
            # outcome.
            await self._publish_dead_letter(record, verdict)
            return
        outcome = self._outcome(record, verdict, span)
        span.set_attributes(
            {
                "deduplication.hit": verdict.decision is Decision.DUPLICATE,
                "disposition.eligible": verdict.reason is Reason.ELIGIBLE,
                "disposition.reason": verdict.reason.value,
                "processing.latency_ms": outcome.latency_ms,
            }
        )
        if verdict.patch_status is not None:
            span.set_attribute("patch.status", verdict.patch_status)
        if verdict.decision is Decision.FAILED:
            span.set_status(Status(StatusCode.ERROR, verdict.reason.value))
            await self._publish_dead_letter(record, verdict)
            await record.assignment.owned()
        await self._publish_outcome(outcome, record)
        self._metrics.record_finished(outcome)
        if verdict.put_off is not None:
            await record.assignment.owned()
            await self._put_off(record, verdict, verdict.put_off)

    async def _put_off(self, record: SourceRecord, verdict: Verdict, put_off: PutOff) -> None:
        """Publish a copy to ``retries``, to the partition of the same number: its table is
        there."""
        headers = retry_headers(
            record.source, put_off, verdict.reason.value, redriven=record.redriven
        )
        message = Message(
            self._topics.retries,
            key=record.key,
            value=record.value,
            headers=[*headers, *inject_context()],
            partition=record.tp.partition,
        )
        await self._publisher.publish(message)
        self._metrics.deferred(verdict.reason.value)

    async def _publish_dead_letter(self, record: SourceRecord, verdict: Verdict) -> None:
        letter = DeadLetter(
            key=record.key,
            value=record.value,
            reason=verdict.reason.value,
            message=verdict.error.message if verdict.error else verdict.reason.value,
            stage=Stage.RETRY if record.tp.topic == self._topics.retries else Stage.WORKER,
            attempts=record.attempt + 1,
            failed_at=verdict.decided_at,
            source=record.source,
            redriven=record.redriven,
        )
        try:
            await self._send(letter)
        except RecordTooLarge as error:
            await self._publish_without_bytes(letter, error)
        self._metrics.dead_letter(verdict.reason.value)
        log.warning(
            "a record is in dead-letters",
            extra={
                "reason": letter.reason,
                "interaction": record.interaction_id,
                "partition": record.source.partition,
                "offset": record.source.offset,
                "error": letter.message,
            },
        )

    async def _publish_without_bytes(self, letter: DeadLetter, error: RecordTooLarge) -> None:
        """Publish the dead letter without key and value: a compressed record may be far larger than
        Kafka accepts. The letter names the source record, which is there for as long as ``events``
        keeps it."""
        log.error(
            "a dead letter without its bytes: the record is too large for dead-letters",
            extra={"source": letter.source, "error": str(error)},
        )
        message = f"{letter.message}; without key and value, which are too large: {error}"
        left = msgspec.structs.replace(
            letter, key=None, value=None, message=foreign_text(message, MESSAGE_LENGTH)
        )
        await self._send(left)

    async def _send(self, letter: DeadLetter) -> None:
        message = Message(
            self._topics.dead_letters,
            key=letter.key,
            value=letter.value,
            headers=[*letter.headers(), *inject_context()],
        )
        await self._publisher.publish(message)

    async def _publish_outcome(self, outcome: Outcome, record: SourceRecord) -> None:
        topic = self._topics.outcomes
        key = record.key
        if outcome.interaction_id is not None:
            key = outcome.interaction_id.encode()
        with self._tracer.start_as_current_span(
            f"publish {topic}",
            kind=SpanKind.PRODUCER,
            attributes={
                MESSAGING_SYSTEM: MessagingSystemValues.KAFKA.value,
                MESSAGING_OPERATION_NAME: "publish",
                MESSAGING_OPERATION_TYPE: MessagingOperationTypeValues.SEND.value,
                MESSAGING_DESTINATION_NAME: topic,
            },
        ) as span:
            headers = [
                *outcome_headers(outcome, app_id=self._app_id),
                *inject_context(),
                *record.assignment.headers,
            ]
            message = Message(topic, key=key, value=encode_outcome(outcome), headers=headers)
            try:
                at = await self._publisher.publish(message)
            except RecordTooLarge:
                # The record's own key is larger than Kafka accepts from us. ``source`` still names
                # the record.
                at = await self._publisher.publish(replace(message, key=None))
            span.set_attribute(MESSAGING_DESTINATION_PARTITION_ID, str(at.partition))
            span.set_attribute(MESSAGING_KAFKA_OFFSET, at.offset)

    def _outcome(self, record: SourceRecord, verdict: Verdict, span: Span) -> Outcome:
        event = record.event if isinstance(record.event, InteractionEvent) else None
        put_off = verdict.put_off
        trace_id = span.get_span_context().trace_id
        return Outcome(
            outcome_id=outcome_id(
                record.source,
                None if put_off is None else put_off.attempt,
                redriven=record.redriven,
                life=record.life,
            ),
            final=verdict.decision is not Decision.DEFERRED,
            interaction_id=event.interaction_id if event else None,
            sequence_id=event.sequence_id if event else None,
            event_id=event.event_id if event else None,
            decision=verdict.decision,
            reason=verdict.reason,
            basis=verdict.basis,
            dry_run=verdict.dry_run,
            disposition_code_id=verdict.disposition_code_id,
            patch_status=verdict.patch_status,
            recovered=verdict.recovered,
            api_calls=verdict.api_calls,
            attempts=verdict.attempts,
            duration_ms=verdict.duration_ms,
            event_time=rfc3339(record.occurred_at),
            decided_at=verdict.decided_at,
            latency_ms=verdict.latency_ms,
            end_to_end_ms=verdict.end_to_end_ms,
            source=record.source,
            trace_id=None if trace_id == _UNSAMPLED_TRACE else f"{trace_id:032x}",
            error=verdict.error,
            next_at=None if put_off is None else rfc3339(put_off.not_before / 1000),
        )
