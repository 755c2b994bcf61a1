"""Processes one event of a conversation, or one look at it, from its lane to the frontier.

An event never asks the API: what it tells, and the look that it plans, go into the table, and a
copy of it goes to ``retries``, where it waits in no lane and no slot. The copy that comes back
makes the look. The order of acknowledgements is that of ``streams/worker/processor.py``: a code's
intent before it leaves, the record before what is published, the outcomes before the copy, and all
of it before the record is finished. Ownership is checked before each effect (promise 8).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random

import msgspec
from opentelemetry.trace import Span

from streams.clock import Clock, Resting
from streams.core.conversations.arrival import arrive
from streams.core.conversations.events import ConversationEvent
from streams.core.conversations.inquiry import Inquiry
from streams.core.conversations.policy import LookPolicy, WrapUpPolicy
from streams.core.conversations.record import (
    ConversationRecord,
    Delivery,
    Result,
    of_life,
    result_before,
)
from streams.core.conversations.steps import Conclude, Write
from streams.core.conversations.uncarried import uncarried
from streams.core.faults import too_large, unread
from streams.core.records import Call, Verdict
from streams.core.retry_policy import DeferralPolicy
from streams.errors import ApiError, InternalError, OwnershipLost, RecordError, RecordTooLarge
from streams.genesys.api import CallContext
from streams.genesys.conversations import LegAddress
from streams.worker.conversations.api import ConversationsApi
from streams.worker.conversations.results import ResultPublisher
from streams.worker.decider import is_plain
from streams.worker.group_commit import GroupCommit
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import Decided, OutcomePublisher, decided
from streams.worker.partitions.assignment import Assignment
from streams.worker.record_faults import NOT_THE_RECORDS, internal_error
from streams.worker.spans import RecordSpans
from streams.worker.state.table import InteractionTable

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Worked:
    """``after``: the conversation's record; None when it stays as it is."""

    after: ConversationRecord | None
    result: Result


class ConversationProcessor:
    """Works on one record at a time; safe to run for many lanes side by side."""

    def __init__(
        self,
        *,
        table: InteractionTable[ConversationRecord],
        commits: GroupCommit[ConversationRecord],
        api: ConversationsApi,
        outcomes: OutcomePublisher,
        results: ResultPublisher,
        policy: WrapUpPolicy,
        looks: LookPolicy,
        deferrals: DeferralPolicy,
        clock: Clock,
        random: Random,
        metrics: WorkerMetrics,
        spans: RecordSpans,
    ) -> None:
        self._table = table
        self._commits = commits
        self._api = api
        self._outcomes = outcomes
        self._results = results
        self._policy = policy
        self._looks = looks
        self._deferrals = deferrals
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._spans = spans
        self._assignment: Assignment | None = None
        self._owner = ""

    async def process(self, record: SourceRecord, resting: Resting = nullcontext) -> None:
        """Decide the record, publish what became of it, and finish it.

        No content of a record makes this raise: a fault of this program in the work on it becomes
        its outcome (promise 14). Raises as ``RecordProcessor.process``.
        """
        with self._spans.processing(record) as span:
            try:
                await self._work(record, resting, span)
            except NOT_THE_RECORDS:
                raise
            except Exception as fault:  # noqa: BLE001 - it becomes the record's outcome
                await self._give_up(record, internal_error(record, fault), span)

    def is_planned(self, record: SourceRecord) -> bool:
        """Whether the look that a waiting copy brings about is one that nothing has put off. Raises
        StoreError."""
        if not isinstance(record.event, ConversationEvent):
            return False
        look = self._known(record, record.event).look
        return look is None or not look.failures

    async def publish_alone(self, each: Decided[ConversationRecord]) -> None:
        """Publish by itself, and finish, a record whose verdict is in the table: a fault of this
        program in making its outcome becomes its outcome (promise 14). Raises as ``process``."""
        record = each.source
        with self._spans.processing(record, each.span) as span:
            await record.assignment.owned()
            try:
                await self._outcomes.publish(record, each.verdict, span)
            except NOT_THE_RECORDS:
                raise
            except Exception as fault:  # noqa: BLE001 - it becomes the record's outcome
                await self._fail(record, internal_error(record, fault), span)
            record.finish()

    def kept(self, record: SourceRecord) -> bool:
        """Whether the store has what is published for this delivery. Raises StoreError."""
        assert isinstance(record.event, ConversationEvent), "no other is parsed in this dialect"
        known = self._known(record, record.event)
        return result_before(known, self._delivery(record)) is not None

    async def _work(self, record: SourceRecord, resting: Resting, span: Span) -> None:
        await record.assignment.owned()
        event = record.event
        if isinstance(event, RecordError):
            dead = unread(event, dry_run=self._policy.dry_run)
            await self._outcomes.publish(record, record.timed(dead, self._clock), span)
            record.finish()
            return
        assert isinstance(event, ConversationEvent), "no other is parsed in this dialect"
        delivery = self._delivery(record)
        if record.returned_at is None:
            worked = self._arrive(record, event, delivery)
        else:
            worked = await self._look(record, event, delivery, resting)
        await record.assignment.owned()
        verdict = worked.result.verdict
        if verdict is not None and is_plain(verdict) and _alone(worked.result):
            await self._commits.commit(decided(record, verdict, worked.after, span))
            return
        await self._write(record, worked.after)
        await self._publish(record, delivery, worked, span)
        record.finish()

    def _arrive(
        self, record: SourceRecord, event: ConversationEvent, delivery: Delivery
    ) -> _Worked:
        """What the event tells goes into the record, and the look that it plans."""
        known = self._known(record, event)
        after, result = arrive(
            known,
            event,
            delivery,
            self._now_ms(),
            policy=self._policy,
            looks=self._looks,
            stamp=lambda verdict: record.timed(verdict, self._clock),
        )
        if after is known and result.verdict is None:
            self._metrics.repeated(record.tp.partition)
        return _Worked(None if after is known else after, result)

    async def _look(
        self, record: SourceRecord, event: ConversationEvent, delivery: Delivery, resting: Resting
    ) -> _Worked:
        """Make the look that is due, if this record is to bring one about."""
        context = record.asking(resting)
        known = self._known(record, event)
        inquiry = Inquiry(known, delivery, self._now_ms(), self._policy, self._looks)
        while not isinstance(inquiry.step, Conclude):
            await record.assignment.owned()
            before = len(context.made)
            try:
                await self._carry_out(record, event, inquiry, context)
            except OwnershipLost:
                # Ownership was in doubt right before a request left. It is certain once this
                # returns.
                await record.assignment.owned()
                inquiry.stopped()
            except NOT_THE_RECORDS:
                raise
            except ApiError as error:
                self._failed(record, inquiry, error, context.made[before:])
            except Exception as fault:  # noqa: BLE001 - the look is put off
                internal = internal_error(record, fault)
                self._failed(record, inquiry, internal, context.made[before:])

        def stamp(verdict: Verdict) -> Verdict:
            timed = record.timed(verdict, self._clock)
            sending = len(verdict.calls)  # of a leg whose code an earlier look has sent
            return msgspec.structs.replace(
                timed, api_calls=sending + context.calls, attempts=context.attempts
            )

        after, result = inquiry.conclude(self._now_ms(), stamp, context.made)
        return _Worked(after, result)

    async def _carry_out(
        self,
        record: SourceRecord,
        event: ConversationEvent,
        inquiry: Inquiry,
        context: CallContext,
    ) -> None:
        """Carry out the inquiry's step: the GET, or the code once its intent is acknowledged."""
        if not isinstance(step := inquiry.step, Write):
            conversation = await self._api.look(event.conversation_id, context)
            inquiry.fetched(conversation, self._now_ms())
            return
        await self._commits.write(
            record.assignment, record.tp.partition, inquiry.intends(self._now_ms())
        )
        leg = step.leg.leg
        address = LegAddress(
            event.conversation_id, leg.participant_id, leg.communication_id, leg.medium or ""
        )
        status = await self._api.set_code(address, step.code, context)
        inquiry.written(status, self._now_ms(), context.made[-1])

    def _failed(
        self,
        record: SourceRecord,
        inquiry: Inquiry,
        error: ApiError | InternalError,
        made: Sequence[Call],
    ) -> None:
        """``made``: the requests of the step that failed."""
        asked = error.retry_after if isinstance(error, ApiError) else 0.0
        seconds = max(self._deferrals.seconds(inquiry.failures, self._random), asked)
        now_ms = self._now_ms()
        retry_at = now_ms + round(seconds * 1000)
        inquiry.failed(error, now_ms, retry_at, made[-1] if made else None)
        log.warning(
            "a look at a conversation failed",
            extra={
                "interaction": record.interaction_id,
                "partition": record.source.partition,
                "offset": record.source.offset,
                "failures": inquiry.failures,
                "error": str(error),
            },
        )

    async def _write(self, record: SourceRecord, after: ConversationRecord | None) -> None:
        if after is not None:
            await self._commits.write(record.assignment, record.tp.partition, after)
            await record.assignment.owned()

    async def _publish(
        self, record: SourceRecord, delivery: Delivery, worked: _Worked, span: Span
    ) -> None:
        try:
            await self._results.publish(record, worked.result, span)
        except RecordTooLarge as error:
            # `retries` does not accept the copy that would bring the look about.
            dead = record.timed(too_large(error, dry_run=self._policy.dry_run), self._clock)
            assert isinstance(record.event, ConversationEvent)
            known = worked.after or self._known(record, record.event)
            after, result = uncarried(known, delivery, dead, self._now_ms())
            await self._write(record, after)
            if result.verdict is None:
                await self._outcomes.publish_dead_letter(record, dead, span)
            await self._results.publish(record, result, span)

    async def _give_up(self, record: SourceRecord, error: InternalError, span: Span) -> None:
        """End a record on which this program has a fault that it can not put off."""
        await record.assignment.owned()
        if self._has_its_outcome(record):
            dead = record.timed(unread(error, dry_run=self._policy.dry_run), self._clock)
            await self._outcomes.publish_dead_letter(record, dead, span)
        else:
            await self._plan_nothing(record, error)
            await self._fail(record, error, span)
        record.finish()

    async def _plan_nothing(self, record: SourceRecord, error: InternalError) -> None:
        """Take out of the table the look that this record has planned: no copy of it brings that
        about, and later events would rely on it."""
        event = record.event
        if not isinstance(event, ConversationEvent):
            return
        try:
            known = self._known(record, event)
            if known.waiter(record.source.offset, record.redriven) is None:
                return
            dead = record.timed(unread(error, dry_run=self._policy.dry_run), self._clock)
            after, _ = uncarried(known, self._delivery(record), dead, self._now_ms())
        except NOT_THE_RECORDS:
            raise
        except Exception:  # noqa: BLE001 - what the table has of it may be the fault that is reported
            return
        await self._write(record, after)

    async def _fail(self, record: SourceRecord, error: InternalError, span: Span) -> None:
        """Publish that the record has failed, with nothing of the event, whose fault it may be."""
        verdict = record.timed(unread(error, dry_run=self._policy.dry_run), self._clock)
        failed = msgspec.structs.replace(record, event=error)
        await self._outcomes.publish(failed, verdict, span)

    def _has_its_outcome(self, record: SourceRecord) -> bool:
        """Whether the source record of a look was told its verdict before: it gets no other one."""
        event = record.event
        if record.returned_at is None or not isinstance(event, ConversationEvent):
            return False
        try:
            waiting = self._known(record, event).waiter(record.source.offset, record.redriven)
        except NOT_THE_RECORDS:
            raise
        except Exception:  # noqa: BLE001 - it is this fault that is reported
            return False
        return waiting is None and not record.redriven

    def _known(self, record: SourceRecord, event: ConversationEvent) -> ConversationRecord:
        """The conversation's record in the table, as far as it is valid in this life of the log;
        else a new one. Raises StoreError."""
        known = self._table.get(record.tp.partition, event.conversation_id)
        if known is None or self._table.expired(known):
            return ConversationRecord(event.conversation_id, life=record.life)
        return of_life(known, record.life)

    def _delivery(self, record: SourceRecord) -> Delivery:
        return Delivery(
            offset=record.source.offset,
            returned_at=record.returned_at,
            redriven=record.redriven,
            owner=self._owner_of(record.assignment),
            life=record.life,
            time_ms=round(record.timestamp * 1000),
            replayed=record.replayed,
            due_ms=record.due_ms,
        )

    def _owner_of(self, assignment: Assignment) -> str:
        """A text for this assignment that no other one has, of any worker: generations begin anew
        with a new group."""
        if assignment is not self._assignment:
            self._assignment = assignment
            self._owner = f"{assignment.generation}-{self._random.getrandbits(64):016x}"
        return self._owner

    def _now_ms(self) -> int:
        return round(self._clock.time() * 1000)


def _alone(result: Result) -> bool:
    """Whether the source record's own verdict is all that has to be told."""
    return not result.legs and result.wake_at is None
