"""Processes one record, from its lane to the frontier (design, One way through).

The guarantees rest on the order in which writes are acknowledged: the intent before the PATCH
leaves (promise 4); the verdict in the table before its outcome is published, so that an outcome
published again is the same (promise 6); all of them before the record is finished (promise 3).
Ownership is checked before each effect (promise 8).
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from random import Random

import msgspec
from opentelemetry.trace import Span

from streams.clock import Clock, Resting, rfc3339
from streams.core import decision
from streams.core.decision import Patch, Policy, Settle
from streams.core.deferral import look_again, put_off, waited
from streams.core.envelope import InteractionEvent
from streams.core.faults import too_large, unread
from streams.core.inquiry import Inquiry
from streams.core.records import Basis, Decision, InteractionRecord, Reason, Verdict
from streams.core.redelivery import of_life, redelivery_of
from streams.core.retry_policy import PATCHES, DeferralPolicy, PatchPolicy
from streams.core.sequence import gaps
from streams.errors import (
    ApiError,
    InternalError,
    KafkaError,
    OwnershipLost,
    RecordError,
    RecordTooLarge,
    WorkerError,
)
from streams.genesys.api import CallContext, GenesysApi
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import OutcomePublisher
from streams.worker.state.table import InteractionTable

log = logging.getLogger(__name__)

# Errors that are no fault of the record in hand, and never become its outcome: a lost partition, a
# full disk, a Kafka that does not acknowledge, a process out of memory.
_NOT_THE_RECORDS = (WorkerError, KafkaError, MemoryError)


class RecordProcessor:
    """Decides one record at a time; safe to run for many lanes side by side."""

    def __init__(
        self,
        *,
        table: InteractionTable,
        api: GenesysApi,
        outcomes: OutcomePublisher,
        policy: Policy,
        deferrals: DeferralPolicy,
        patches: PatchPolicy = PATCHES,
        clock: Clock,
        random: Random,
        metrics: WorkerMetrics,
        dead_letter_limit: DeadLetterLimit,
    ) -> None:
        self._table = table
        self._api = api
        self._outcomes = outcomes
        self._policy = policy
        self._deferrals = deferrals
        self._patches = patches
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._dead_letter_limit = dead_letter_limit

    async def process(self, record: SourceRecord, resting: Resting = nullcontext) -> None:
        """Decide the record, publish its outcome, final or deferred, and finish it.

        ``resting``: entered for the waits between its tries.

        No content of a record makes this raise: a fault of this program in the work on it becomes
        its outcome (promise 14). Raises OwnershipLost when its partition is given up; the record is
        not finished then. Raises StoreError and PublishError when disk or Kafka fail, which end the
        worker.
        """
        with self._outcomes.process(record) as span:
            verdict = await self._verdict(record, resting)
            if verdict is None:
                self._metrics.repeated(record.tp.partition)
                record.finish()
                return
            await record.assignment.owned()
            verdict = await self._publish(record, verdict, span)
        record.finish()
        self._count(verdict)

    async def _verdict(self, record: SourceRecord, resting: Resting) -> Verdict | None:
        """The record's verdict; None when its outcome was published already (promise 6)."""
        if isinstance(record.event, RecordError):
            return self._timed(record, unread(record.event, dry_run=self._policy.dry_run))
        try:
            return await self._verdict_on_event(record, record.event, resting)
        except _NOT_THE_RECORDS:
            raise
        except Exception as fault:  # noqa: BLE001 - it becomes the record's outcome
            return await self._verdict_on_fault(record, record.event, fault)

    async def _verdict_on_fault(
        self, record: SourceRecord, event: InteractionEvent, fault: Exception
    ) -> Verdict:
        """The verdict on a record that met a fault of this program: deferred, or failed when it was
        put off too often."""
        error = self._internal_error(record, fault)
        try:
            known = self._known(record, event)
            verdict = self._put_off(record, error, known)
            return await self._write(record, event, known, verdict)
        except _NOT_THE_RECORDS:
            raise
        except Exception as again:  # noqa: BLE001 - it becomes the record's outcome
            # The interaction's record can not be read or written, so the table can not keep the
            # verdict.
            error = self._internal_error(record, again)
            return self._timed(record, unread(error, dry_run=self._policy.dry_run))

    async def _publish(self, record: SourceRecord, verdict: Verdict, span: Span) -> Verdict:
        """Publish the verdict. Returns the one that was published last."""
        try:
            await self._outcomes.publish(record, verdict, span)
        except RecordTooLarge as error:
            # Its deferral was published, but `retries` does not accept the record: its final
            # outcome follows now.
            assert isinstance(record.event, InteractionEvent), "only an event is put off"
            dead = too_large(error, dry_run=self._policy.dry_run)
            verdict = await self._write(
                record, record.event, self._known(record, record.event), dead
            )
            await self._outcomes.publish(record, verdict, span)
        except _NOT_THE_RECORDS:
            raise
        except Exception as fault:  # noqa: BLE001 - it becomes the record's outcome
            internal = self._internal_error(record, fault)
            verdict = self._timed(record, unread(internal, dry_run=self._policy.dry_run))
            await self._outcomes.publish(replace(record, event=internal), verdict, span)
        return verdict

    def _internal_error(self, record: SourceRecord, fault: Exception) -> InternalError:
        """Log the fault, with the traceback only the first time that the record is worked on.
        Returns the error that becomes the record's outcome."""
        log.error(
            "a fault of this program in the work on a record",
            exc_info=fault if record.attempt == 0 else None,
            extra={
                "interaction": record.interaction_id,
                "partition": record.source.partition,
                "offset": record.source.offset,
                "error": repr(fault),
            },
        )
        return InternalError(
            f"a fault of this program ({type(fault).__name__}) in the work on this record; the "
            "worker's log has the traceback: report it"
        )

    def _count(self, verdict: Verdict) -> None:
        """Count the record for DEAD_LETTER_LIMIT, if Genesys Cloud was asked about it or this
        program failed on it. A record that is to be looked at again has no answer yet and is not
        counted."""
        internal = verdict.reason is Reason.INTERNAL_ERROR
        if (verdict.basis is not Basis.API and not internal) or (
            verdict.reason is Reason.NOT_YET_VISIBLE
        ):
            return
        failed = internal or verdict.decision in (Decision.FAILED, Decision.NOT_FOUND)
        self._dead_letter_limit.count(
            verdict.reason.value if failed else None, self._clock.monotonic()
        )

    async def _verdict_on_event(
        self, record: SourceRecord, event: InteractionEvent, resting: Resting
    ) -> Verdict | None:
        """Decide the record, unless it was decided before, and write the verdict into the table.
        Returns None when the table proves that the record's outcome was published already (promise
        6)."""
        await record.assignment.owned()
        known = self._known(record, event)
        again = redelivery_of(known, event, record.appearance)
        if again is not None:
            return again.verdict
        if self._table.expired(known):
            known = _never_seen(record, event)
        verdict, known = await self._decide(record, event, known, resting)
        verdict = look_again(
            verdict,
            event,
            known,
            offset=record.source.offset,
            attempt=record.attempt + 1,
            now_ms=round(self._clock.time() * 1000),
            policy=self._policy,
        )
        return await self._write(record, event, known, verdict)

    def _known(self, record: SourceRecord, event: InteractionEvent) -> InteractionRecord:
        """The interaction's record in the table, as far as it is valid in this life of the log;
        else a new one."""
        known = self._table.get(record.tp.partition, event.interaction_id)
        return _never_seen(record, event) if known is None else of_life(known, record.life)

    async def _write(
        self,
        record: SourceRecord,
        event: InteractionEvent,
        known: InteractionRecord,
        verdict: Verdict,
    ) -> Verdict:
        """Write the verdict into the table. Returns it with the times of the decision."""
        verdict = self._timed(record, verdict)
        after = decision.apply(
            known,
            event,
            record.source.offset,
            verdict,
            round(self._clock.time() * 1000),
            returned_at=record.returned_at,
            redriven=record.redriven,
        )
        await self._table.put(record.assignment, record.tp.partition, after)
        self._metrics.sequence_gaps(gaps(after.seen) - gaps(known.seen))
        return verdict

    def _timed(self, record: SourceRecord, verdict: Verdict) -> Verdict:
        """The verdict with the time of the decision, and how long it took."""
        now = self._clock.time()
        return msgspec.structs.replace(
            verdict,
            decided_at=rfc3339(now),
            latency_ms=round((self._clock.monotonic() - record.taken_up_at) * 1000, 3),
            end_to_end_ms=round((now - record.occurred_at) * 1000, 3),
        )

    async def _decide(
        self,
        record: SourceRecord,
        event: InteractionEvent,
        known: InteractionRecord,
        resting: Resting,
    ) -> tuple[Verdict, InteractionRecord]:
        """The verdict, and the interaction's record with any intent that was written on the way."""
        offset = record.source.offset
        context = CallContext(guard=record.assignment.check, resting=resting)
        inquiry = Inquiry(
            known,
            event,
            offset,
            self._policy,
            returned=record.returned_at is not None,
            redriven=record.redriven > 0,
            limits=self._patches,
        )
        put_off: Verdict | None = None
        while put_off is None and not isinstance(inquiry.step, Settle):
            await record.assignment.owned()
            try:
                await self._carry_out(record, event, inquiry, context)
            except OwnershipLost:
                # Ownership was in doubt right before a request left. It is certain once this
                # returns.
                await record.assignment.owned()
                inquiry.stopped()
            except ApiError as error:
                if inquiry.failed(error):
                    put_off = self._put_off(record, error, inquiry.record)
                elif error.retriable:
                    # The PATCH failed: wait for a time before the interaction is looked at.
                    async with resting():
                        wait = self._patches.look.wait(inquiry.patches, self._random)
                        await self._clock.sleep(max(wait, error.retry_after))
        deferral = known.deferral(offset)
        before = deferral.verdict.api_calls if deferral is not None else 0
        verdict = msgspec.structs.replace(
            put_off or inquiry.verdict, api_calls=before + context.calls, attempts=context.attempts
        )
        return verdict, inquiry.record

    async def _carry_out(
        self, record: SourceRecord, event: InteractionEvent, inquiry: Inquiry, context: CallContext
    ) -> None:
        """Carry out the inquiry's step: the GET, or the PATCH once its intent is acknowledged."""
        if not isinstance(patch := inquiry.step, Patch):
            inquiry.fetched(await self._api.fetch(event.interaction_id, context))
            return
        intended = inquiry.intends(patch, round(self._clock.time() * 1000))
        if intended is not None:
            await self._table.put(record.assignment, record.tp.partition, intended)
        inquiry.patching()
        status = await self._api.set_disposition(
            event.interaction_id, patch.code, patch.etag, context
        )
        inquiry.patched(patch, status)

    def _put_off(
        self, record: SourceRecord, error: ApiError | InternalError, known: InteractionRecord
    ) -> Verdict:
        attempt = record.attempt + 1
        asked = error.retry_after if isinstance(error, ApiError) else 0.0
        seconds = max(self._deferrals.seconds(attempt, self._random), asked)
        looks, visible_by = waited(known, record.source.offset)
        verdict = put_off(
            error,
            attempt,
            round((self._clock.time() + seconds) * 1000),
            self._policy,
            most=self._deferrals.limit,
            others=known.waiting_beside(record.source.offset),
            looks=looks,
            visible_by=visible_by,
        )
        about: dict[str, object] = {
            "interaction": record.interaction_id,
            "partition": record.source.partition,
            "offset": record.source.offset,
            "attempt": attempt,
            "error": str(error),
        }
        if verdict.put_off is None:
            log.error("the work on a record failed once too often: it is dead", extra=about)
        else:
            about["seconds"] = round(seconds, 1)
            log.warning("the work on a record failed: it is put off", extra=about)
        return verdict


def _never_seen(record: SourceRecord, event: InteractionEvent) -> InteractionRecord:
    return InteractionRecord(interaction_id=event.interaction_id, life=record.life)
