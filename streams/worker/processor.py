"""Processes one record, from its lane to the frontier (design, One way through).

The guarantees rest on the order in which writes are acknowledged: the intent before the PATCH
leaves (promise 4); the verdict in the table before its outcome is published, so that an outcome
published again is the same (promise 6); all of them before the record is finished (promise 3).
Ownership is checked before each effect (promise 8).
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from random import Random

import msgspec
from opentelemetry.trace import Span

from streams.clock import Clock, Resting
from streams.core import calls
from streams.core.decision import Patch, Policy, Settle
from streams.core.deferral import look_again, put_off, waited
from streams.core.envelope import InteractionEvent
from streams.core.faults import too_large, unread
from streams.core.inquiry import Inquiry
from streams.core.records import InteractionRecord, Verdict
from streams.core.redelivery import redelivery_of
from streams.core.retry_policy import PATCHES, DeferralPolicy, PatchPolicy
from streams.errors import ApiError, InternalError, OwnershipLost, RecordError, RecordTooLarge
from streams.genesys.api import CallContext, GenesysApi
from streams.worker.decider import Decider, is_plain
from streams.worker.group_commit import GroupCommit
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import Decided, OutcomePublisher, decided
from streams.worker.record_faults import NOT_THE_RECORDS, internal_error
from streams.worker.spans import RecordSpans

log = logging.getLogger(__name__)


class RecordProcessor:
    """Decides one record at a time; safe to run for many lanes side by side."""

    def __init__(
        self,
        *,
        decider: Decider,
        api: GenesysApi,
        outcomes: OutcomePublisher,
        policy: Policy,
        deferrals: DeferralPolicy,
        patches: PatchPolicy = PATCHES,
        clock: Clock,
        random: Random,
        metrics: WorkerMetrics,
        commits: GroupCommit[InteractionRecord],
        spans: RecordSpans,
    ) -> None:
        self._decider = decider
        self._api = api
        self._outcomes = outcomes
        self._policy = policy
        self._deferrals = deferrals
        self._patches = patches
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._commits = commits
        self._spans = spans

    async def process(self, record: SourceRecord, resting: Resting = nullcontext) -> None:
        """Decide the record, publish its outcome, final or deferred, and finish it.

        ``resting``: entered for the waits between its tries.

        No content of a record makes this raise: a fault of this program in the work on it becomes
        its outcome (promise 14). Raises OwnershipLost when its partition is given up; the record is
        not finished then. Raises StoreError and PublishError when disk or Kafka fail, which end the
        worker.
        """
        with self._spans.processing(record) as span:
            verdict_and_record = await self._verdict(record, resting)
            if verdict_and_record is None:
                self._metrics.repeated(record.tp.partition)
                record.finish()
                return
            verdict, after = verdict_and_record
            await record.assignment.owned()
            if is_plain(verdict) and (ready := _ready(record, verdict, after, span)):
                await self._commits.commit(ready)
                return
            if after is not None:
                verdict = await self._write(record, verdict, after)
                await record.assignment.owned()
            await self._publish(record, verdict, span)
            record.finish()

    async def publish_alone(self, each: Decided[InteractionRecord]) -> None:
        """Publish by itself, and finish, a record whose verdict is in the table: a fault of this
        program in making its outcome becomes its outcome (promise 14). Raises as ``process``."""
        record = each.source
        with self._spans.processing(record, each.span) as span:
            await record.assignment.owned()
            await self._publish(record, each.verdict, span)
            record.finish()

    async def _verdict(
        self, record: SourceRecord, resting: Resting
    ) -> tuple[Verdict, InteractionRecord | None] | None:
        """The record's verdict, and the interaction's record with it if that is still to be
        written; None when its outcome was published already (promise 6)."""
        if isinstance(record.event, RecordError):
            verdict = unread(record.event, dry_run=self._policy.dry_run)
            return record.timed(verdict, self._clock), None
        assert isinstance(record.event, InteractionEvent), "no other is parsed in this dialect"
        try:
            return await self._verdict_on_event(record, record.event, resting)
        except NOT_THE_RECORDS:
            raise
        except Exception as fault:  # noqa: BLE001 - it becomes the record's outcome
            return await self._verdict_on_fault(record, record.event, fault)

    async def _verdict_on_fault(
        self, record: SourceRecord, event: InteractionEvent, fault: Exception
    ) -> tuple[Verdict, InteractionRecord | None]:
        """The verdict on a record that met a fault of this program: deferred, or failed when it was
        put off too often."""
        error = internal_error(record, fault)
        try:
            known = self._decider.known(record, event)
            verdict = self._put_off(record, error, known)
            return self._decided(record, event, known, verdict)
        except NOT_THE_RECORDS:
            raise
        except Exception as again:  # noqa: BLE001 - it becomes the record's outcome
            # The interaction's record can not be read, so the table can not keep the verdict.
            return self._given_up(record, again), None

    async def _write(
        self, record: SourceRecord, verdict: Verdict, after: InteractionRecord
    ) -> Verdict:
        """Write the interaction's record into the table. Returns the verdict, or the one on a
        record whose own can not be written."""
        try:
            await self._commits.write(record.assignment, record.tp.partition, after)
        except NOT_THE_RECORDS:
            raise
        except Exception as fault:  # noqa: BLE001 - it becomes the record's outcome
            return self._given_up(record, fault)
        return verdict

    def _given_up(self, record: SourceRecord, fault: Exception) -> Verdict:
        """The verdict on a record on which nothing can be kept in the table."""
        error = internal_error(record, fault)
        return record.timed(unread(error, dry_run=self._policy.dry_run), self._clock)

    async def _publish(self, record: SourceRecord, verdict: Verdict, span: Span) -> None:
        """Publish the verdict, or what it has to become."""
        try:
            await self._outcomes.publish(record, verdict, span)
        except RecordTooLarge as error:
            # Its deferral was published, but `retries` does not accept the record: its final
            # outcome follows now.
            assert isinstance(record.event, InteractionEvent), "only an event is put off"
            dead = too_large(error, dry_run=self._policy.dry_run)
            known = self._decider.known(record, record.event)
            verdict, after = self._decided(record, record.event, known, dead)
            verdict = await self._write(record, verdict, after)
            await record.assignment.owned()
            await self._outcomes.publish(record, verdict, span)
        except NOT_THE_RECORDS:
            raise
        except Exception as fault:  # noqa: BLE001 - it becomes the record's outcome
            internal = internal_error(record, fault)
            verdict = record.timed(unread(internal, dry_run=self._policy.dry_run), self._clock)
            failed = msgspec.structs.replace(record, event=internal)
            await self._outcomes.publish(failed, verdict, span)

    async def _verdict_on_event(
        self, record: SourceRecord, event: InteractionEvent, resting: Resting
    ) -> tuple[Verdict, InteractionRecord | None] | None:
        """Decide the record, unless it was decided before: see ``_verdict``."""
        await record.assignment.owned()
        known = self._decider.known(record, event)
        again = redelivery_of(known, event, record.appearance)
        if again is not None:
            return None if again.verdict is None else (again.verdict, None)
        known = self._decider.unexpired(record, event, known)
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
        return self._decided(record, event, known, verdict)

    async def _decide(
        self,
        record: SourceRecord,
        event: InteractionEvent,
        known: InteractionRecord,
        resting: Resting,
    ) -> tuple[Verdict, InteractionRecord]:
        """The verdict, and the interaction's record with any intent that was written on the way."""
        offset = record.source.offset
        context = record.asking(resting)
        inquiry = self._decider.inquiry(record, event, known)
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
                    async with context.rest():
                        wait = self._patches.look.wait(inquiry.patches, self._random)
                        await self._clock.sleep(max(wait, error.retry_after))
        deferral = known.deferral(offset)
        before = deferral.verdict if deferral is not None else None
        verdict = msgspec.structs.replace(
            put_off or inquiry.verdict,
            api_calls=context.calls + (before.api_calls if before is not None else 0),
            attempts=context.attempts,
            calls=calls.latest(before, context.made),
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
            await self._commits.write(record.assignment, record.tp.partition, intended)
        inquiry.patching()
        status = await self._api.set_disposition(
            event.interaction_id, patch.code, patch.etag, context
        )
        inquiry.patched(patch, status)

    def _decided(
        self,
        record: SourceRecord,
        event: InteractionEvent,
        known: InteractionRecord,
        verdict: Verdict,
    ) -> tuple[Verdict, InteractionRecord]:
        verdict, after = self._decider.decided(record, event, known, verdict)
        self._decider.count_gaps(known, after)
        return verdict, after

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


def _ready(
    record: SourceRecord, verdict: Verdict, after: InteractionRecord | None, span: Span
) -> Decided[InteractionRecord] | None:
    """The record for its group; None when the interaction's record can not be encoded, which
    ``_write`` meets again and reports."""
    try:
        return decided(record, verdict, after, span)
    except Exception:  # noqa: BLE001 - see above
        return None
