"""Publishes what one delivery has come to: its own outcome, those of legs, and a look's copy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from msgspec.structs import replace
from opentelemetry.trace import Span

from streams.clock import Clock
from streams.core.calls import latest
from streams.core.conversations.record import LegVerdict, Result
from streams.core.records import Call, Decision, PutOff, Reason, Verdict
from streams.kafka.publisher import Publisher
from streams.kafka.settings import TopicNames
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import Outcome
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.invariants import Invariants
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import OutcomePublisher
from streams.worker.spans import RecordSpans


class ResultPublisher:
    """Publishes results, and waits for each acknowledgement."""

    def __init__(
        self,
        *,
        outcomes: OutcomePublisher,
        publisher: Publisher,
        topics: TopicNames,
        metrics: WorkerMetrics,
        invariants: Invariants,
        spans: RecordSpans,
        clock: Clock,
        dead_letter_limit: DeadLetterLimit,
    ) -> None:
        self._outcomes = outcomes
        self._publisher = publisher
        self._topics = topics
        self._metrics = metrics
        self._invariants = invariants
        self._spans = spans
        self._clock = clock
        self._dead_letter_limit = dead_letter_limit

    async def publish(self, record: SourceRecord, result: Result, span: Span) -> None:
        """Publish one dead letter if anything has failed, then the outcomes, then the copy that
        brings the look about.

        The order matters: a copy that comes back proves that the outcomes before it were published.
        The caller has checked ownership. Raises OwnershipLost, PublishError; RecordTooLarge when
        ``retries`` does not accept the copy.
        """
        verdicts = [*([result.verdict] if result.verdict else []), *_of_legs(result.legs)]
        if verdicts:
            self._invariants.publishing(record, verdicts[0])
        failed = next((each for each in verdicts if each.decision is Decision.FAILED), None)
        if failed is not None:
            await self._outcomes.publish_dead_letter(record, failed, span)
            await record.assignment.owned()
        if verdicts:
            await self._publish_outcomes(record, result, span)
            self._invariants.published([record])
        if result.verdict is not None:
            self._metrics.records_finished([result.verdict], [span])
        self._metrics.legs_decided(list(_of_legs(result.legs)))
        now = self._clock.monotonic()
        for verdict in verdicts:
            self._dead_letter_limit.decided(verdict, now)
        if result.wake_at is not None:
            await record.assignment.owned()
            put_off = PutOff(record.attempt + 1, result.wake_at)
            deferral = result.verdict is not None and not result.verdict.final
            reason = result.verdict.reason if deferral and result.verdict else Reason.LOOK_PLANNED
            await self._outcomes.send_back(record, put_off, reason)

    async def _publish_outcomes(self, record: SourceRecord, result: Result, span: Span) -> None:
        outcomes = [self._of_leg(record, each, result.calls, span) for each in result.legs]
        if result.verdict is not None:
            self._spans.decided(span, result.verdict)
            outcomes.append(self._outcomes.outcome(record, result.verdict, span))
        publishing = [self._spans.publish(self._topics.outcomes, span) for _ in outcomes]
        messages = [
            self._outcomes.message(record, outcome, own)
            for outcome, own in zip(outcomes, publishing, strict=True)
        ]
        try:
            stored = await asyncio.gather(*await self._publisher.enqueue_all(messages))
        except BaseException as failure:
            for own in publishing:
                self._spans.failed(own, failure)
            raise
        self._spans.all_stored(publishing, messages, stored)

    def _of_leg(
        self, record: SourceRecord, each: LegVerdict, made: Sequence[Call], span: Span
    ) -> Outcome:
        assert record.interaction_id is not None, "only an event has legs"
        put_off = each.verdict.put_off
        own_id = leg_outcome_id(
            record.interaction_id,
            each.leg.participant_id,
            None if put_off is None else put_off.attempt,
            redriven=each.redriven,
        )
        verdict = replace(each.verdict, calls=latest(each.verdict, made))
        return self._outcomes.outcome(record, verdict, span, (each.leg, own_id))


def _of_legs(legs: Sequence[LegVerdict]) -> Iterator[Verdict]:
    return (each.verdict for each in legs)
