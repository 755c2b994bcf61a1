"""Makes the outcomes of records, and publishes the outcome, dead letter or deferral of one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from opentelemetry.trace import Span

from streams.clock import Clock, rfc3339
from streams.core.faults import MESSAGE_LENGTH
from streams.core.foreign_text import foreign_text
from streams.core.records import (
    Decision,
    Leg,
    PutOff,
    Reason,
    Remembered,
    Verdict,
    encode_record,
)
from streams.errors import RecordError, RecordTooLarge
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, Publisher
from streams.kafka.settings import TopicNames
from streams.telemetry.tracing import inject_context, trace_headers
from streams.wire.dead_letters import DeadLetter, Stage
from streams.wire.outcomes import Outcome, encode_outcome, outcome_headers, outcome_id
from streams.wire.retries import retry_headers
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.invariants import Invariants
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.spans import RecordSpans

log = logging.getLogger(__name__)

_UNSAMPLED_TRACE = 0

R = TypeVar("R", bound=Remembered)

# A leg of a conversation, and the id of an outcome on it.
OfLeg = tuple[Leg, str]


class Decided(msgspec.Struct, Generic[R], frozen=True):
    """A source record with its verdict, for which the outcome is all that has to be published.

    ``state``: the interaction's record with the verdict, and its bytes; None when the table has it
    already. ``span``: the record's own, which its lane ends; None for a record that was decided
    where it was taken up.
    """

    source: SourceRecord
    verdict: Verdict
    state: tuple[R, bytes] | None
    span: Span | None = None


class Outgoing(msgspec.Struct, frozen=True):
    """The outcomes of a group as they are sent.

    ``publishing``: the span of publishing each. ``processing``: the records' own spans, as far as
    they end with the group.
    """

    messages: list[Message]
    publishing: list[Span]
    processing: list[Span]


def decided(
    record: SourceRecord,
    verdict: Verdict,
    known: R | None,
    span: Span | None = None,
) -> Decided[R]:
    """``known``: the interaction's record with the verdict, if it is still to be written."""
    state = None if known is None else (known, encode_record(known))
    return Decided(record, verdict, state, span)


class OutcomePublisher:
    """Publishes outcomes, dead letters and deferrals, and waits for each acknowledgement."""

    def __init__(
        self,
        *,
        publisher: Publisher,
        topics: TopicNames,
        app_id: str,
        metrics: WorkerMetrics,
        spans: RecordSpans,
        clock: Clock,
        dead_letter_limit: DeadLetterLimit,
        invariants: Invariants,
    ) -> None:
        self._publisher = publisher
        self._topics = topics
        self._app_id = app_id
        self._metrics = metrics
        self._spans = spans
        self._clock = clock
        self._dead_letter_limit = dead_letter_limit
        self._invariants = invariants

    def outgoing(self, group: Sequence[Decided[Any]]) -> Outgoing:
        """The outcomes of these records as they are sent.

        Each step is done for all of them before the next one: Python is faster while it stays in
        the same code (docs/decisions/group-commit.md).
        """
        self._invariants.publishing(group[-1].source, group[-1].verdict)
        own = [self._spans.begun(each.source) if each.span is None else each.span for each in group]
        made = [
            self.outcome(each.source, each.verdict, span)
            for each, span in zip(group, own, strict=True)
        ]
        for each, span in zip(group, own, strict=True):
            self._spans.decided(span, each.verdict)
        publishing = [self._spans.publish(self._topics.outcomes, span) for span in own]
        messages = [
            self.message(each.source, outcome, span)
            for each, outcome, span in zip(group, made, publishing, strict=True)
        ]
        ending = [span for each, span in zip(group, own, strict=True) if each.span is None]
        return Outgoing(messages, publishing, ending)

    def count(self, group: Sequence[Decided[Any]], spans: Sequence[Span]) -> None:
        """Count the records of a group, which is published. ``spans``: those of publishing them."""
        self._invariants.published([each.source for each in group])
        verdicts = [each.verdict for each in group]
        self._metrics.records_finished(verdicts, spans)
        now = self._clock.monotonic()
        for verdict in verdicts:
            self._dead_letter_limit.decided(verdict, now)

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
            await self.publish_dead_letter(record, verdict, span)
            self._dead_letter_limit.decided(verdict, self._clock.monotonic())
            return
        self._invariants.publishing(record, verdict)
        outcome = self.outcome(record, verdict, span)
        self._spans.decided(span, verdict)
        if verdict.decision is Decision.FAILED:
            await self.publish_dead_letter(record, verdict, span)
            await record.assignment.owned()
        await self._publish_outcome(record, outcome, span)
        self._invariants.published([record])
        self._metrics.records_finished([verdict], [span])
        if verdict.put_off is not None:
            await record.assignment.owned()
            await self.send_back(record, verdict.put_off, verdict.reason)
        self._dead_letter_limit.decided(verdict, self._clock.monotonic())

    async def send_back(self, record: SourceRecord, put_off: PutOff, reason: Reason) -> None:
        """Publish a copy to ``retries``, to the partition of the same number: its table is
        there."""
        headers = retry_headers(record.source, put_off, reason.value, redriven=record.redriven)
        message = Message(
            self._topics.retries,
            key=record.key,
            value=record.value,
            headers=[*headers, *inject_context()],
            partition=record.tp.partition,
        )
        await self._publisher.publish(message)
        self._metrics.deferred(reason.value)

    async def publish_dead_letter(self, record: SourceRecord, verdict: Verdict, span: Span) -> None:
        """Publish the record's own bytes, with the reason of a failed verdict: on the record, or on
        a leg that it was about. ``span``: the record's own."""
        self._spans.died(span, verdict)
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

    async def _publish_outcome(self, record: SourceRecord, outcome: Outcome, span: Span) -> None:
        publishing = self._spans.publish(self._topics.outcomes, span)
        try:
            at = await self._stored(self.message(record, outcome, publishing))
        except BaseException as failure:
            self._spans.failed(publishing, failure)
            raise
        self._spans.stored(publishing, at.partition, at.offset)

    async def _stored(self, message: Message) -> Acknowledged:
        try:
            return await self._publisher.publish(message)
        except RecordTooLarge:
            # The record's own key is larger than Kafka accepts from us. ``source`` still names the
            # record.
            return await self._publisher.publish(msgspec.structs.replace(message, key=None))

    def message(self, record: SourceRecord, outcome: Outcome, span: Span) -> Message:
        """The record in ``outcomes``. ``span``: that of publishing it."""
        key = record.key
        if outcome.interaction_id is not None:
            key = outcome.interaction_id.encode()
        headers = [
            *outcome_headers(outcome, app_id=self._app_id),
            *trace_headers(span),
            *record.assignment.headers,
        ]
        return Message(
            self._topics.outcomes, key=key, value=encode_outcome(outcome), headers=headers
        )

    def outcome(
        self, record: SourceRecord, verdict: Verdict, span: Span, of_leg: OfLeg | None = None
    ) -> Outcome:
        """The outcome as it is sent. ``of_leg``: the leg that it is on, and its id; None for the
        source record's own."""
        event = None if isinstance(record.event, RecordError) else record.event
        put_off = verdict.put_off
        trace_id = span.get_span_context().trace_id
        if of_leg is None:
            leg = None
            own_id = outcome_id(
                record.source,
                None if put_off is None else put_off.attempt,
                redriven=record.redriven,
                life=record.life,
            )
        else:
            leg, own_id = of_leg
        return Outcome(
            outcome_id=own_id,
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
            calls=verdict.calls,
            leg=leg,
        )
