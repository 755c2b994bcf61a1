"""One record's road, from its lane to the frontier (design, One way through).

The order of what is acknowledged is the guarantee: intent before the PATCH leaves (promise 4), the
verdict in the table before its outcome is told (promise 6: told again, it is the same), and all of
it before the record is finished (promise 3). Ownership is asked before each effect (promise 8).
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass, replace
from random import Random

import msgspec
from opentelemetry.trace import Span

from streams import decision
from streams.clock import Clock, Resting, rfc3339
from streams.decision import Fetch, Patch, Policy, Settle, Step
from streams.deferral import look_again, put_off, waited
from streams.envelope import InteractionEvent
from streams.errors import (
    ApiError,
    Conflict,
    InternalError,
    KafkaError,
    OwnershipLost,
    RecordError,
    RecordTooLarge,
    WorkerError,
)
from streams.faults import too_large, unread
from streams.genesys.api import CallLog, GenesysApi
from streams.genesys.retry import LONGEST_REST, Backoff
from streams.records import Basis, Decision, Intent, InteractionRecord, Reason, Verdict
from streams.redelivery import of_life, told_before
from streams.sequence import gaps
from streams.telemetry.metrics import WorkerMetrics
from streams.worker.mortality import Mortality
from streams.worker.report import Report
from streams.worker.table import InteractionTable
from streams.worker.work import Work

log = logging.getLogger(__name__)

# What ends the worker, and is no fault of the record in hand: a lost partition, a full disk, a
# Kafka that does not acknowledge, a process out of memory.
_NOT_THE_RECORDS = (WorkerError, KafkaError, MemoryError)

# PATCHes sent for one record before it is put off. Each that may have been applied is looked at
# first, and an API that takes GETs and fails every PATCH would be asked for ever.
PATCH_TRIES = 3

# Before a PATCH that may have been applied is looked at.
LOOK_BACKOFF = Backoff(base=0.5, cap=10.0)


@dataclass(frozen=True, slots=True)
class Deferrals:
    """How often a record is put off at most (RETRY_MAX_ATTEMPTS), and for how long, in seconds.

    Ten deferrals take some four hours: longer than most outages, and well below the day for which
    an interaction is remembered.
    """

    most: int = 10
    first: float = 30.0
    longest: float = 3600.0

    def seconds(self, attempt: int, random: Random) -> float:
        """Twice as long each time; the upper half is drawn, so that an outage's records do not come
        back all at once."""
        ceiling = Backoff(self.first, self.longest).limit(attempt)
        return random.uniform(ceiling / 2, ceiling)


class Road:
    """Decides one record at a time; safe to run for many lanes side by side."""

    def __init__(
        self,
        *,
        table: InteractionTable,
        api: GenesysApi,
        report: Report,
        policy: Policy,
        deferrals: Deferrals,
        clock: Clock,
        random: Random,
        metrics: WorkerMetrics,
        mortality: Mortality,
    ) -> None:
        self._table = table
        self._api = api
        self._report = report
        self._policy = policy
        self._deferrals = deferrals
        self._clock = clock
        self._random = random
        self._metrics = metrics
        self._mortality = mortality

    async def travel(self, work: Work, resting: Resting = nullcontext) -> None:
        """Bring the record to its outcome, final or put off, and finish it.

        ``resting``: entered for the waits between its tries.

        Whatever the record brings, it ends here: a fault of this program in the work on it is told
        as its outcome (promise 14). Raises OwnershipLost when its partition is given up, with
        nothing finished; StoreError and PublishError when disk or Kafka fail, which end the worker.
        """
        with self._report.process(work) as span:
            verdict = await self._verdict(work, resting)
            if verdict is None:
                self._metrics.repeated(work.tp.partition)
                work.finish()
                return
            await work.tenure.owned()
            verdict = await self._tell(work, verdict, span)
        work.finish()
        self._count(verdict)

    async def _verdict(self, work: Work, resting: Resting) -> Verdict | None:
        """What becomes of the record; None when it has been told already (promise 6)."""
        if isinstance(work.event, RecordError):
            return self._timed(work, unread(work.event, dry_run=self._policy.dry_run))
        try:
            return await self._settle(work, work.event, resting)
        except _NOT_THE_RECORDS:
            raise
        except Exception as fault:  # noqa: BLE001 - told as the record's outcome
            return await self._settle_fault(work, work.event, fault)

    async def _settle_fault(self, work: Work, event: InteractionEvent, fault: Exception) -> Verdict:
        """The verdict on a record that met a fault of this program: put off, and at last dead."""
        error = self._internal_error(work, fault)
        try:
            record = self._record(work, event)
            verdict = self._put_off(work, error, record)
            return await self._write(work, event, record, verdict)
        except _NOT_THE_RECORDS:
            raise
        except Exception as again:  # noqa: BLE001 - told as the record's outcome
            # Its interaction's record can not be read or written, so nothing can be kept of it.
            error = self._internal_error(work, again)
            return self._timed(work, unread(error, dry_run=self._policy.dry_run))

    async def _tell(self, work: Work, verdict: Verdict, span: Span) -> Verdict:
        """Have the verdict told; the one that was told in the end."""
        try:
            await self._report.tell(work, verdict, span)
        except RecordTooLarge as error:
            # Told as deferred, and `retries` does not take it: its final outcome comes now.
            assert isinstance(work.event, InteractionEvent), "only an event is put off"
            dead = too_large(error, dry_run=self._policy.dry_run)
            verdict = await self._write(work, work.event, self._record(work, work.event), dead)
            await self._report.tell(work, verdict, span)
        except _NOT_THE_RECORDS:
            raise
        except Exception as fault:  # noqa: BLE001 - told as the record's outcome
            internal = self._internal_error(work, fault)
            verdict = self._timed(work, unread(internal, dry_run=self._policy.dry_run))
            await self._report.tell(replace(work, event=internal), verdict, span)
        return verdict

    def _internal_error(self, work: Work, fault: Exception) -> InternalError:
        """Say it in the log; the traceback the first time that the record is worked on."""
        log.error(
            "a fault of this program in the work on a record",
            exc_info=fault if work.attempt == 0 else None,
            extra={
                "interaction": work.interaction_id,
                "partition": work.source.partition,
                "offset": work.source.offset,
                "error": repr(fault),
            },
        )
        return InternalError(
            f"a fault of this program ({type(fault).__name__}) in the work on this record; the "
            "worker's log has the traceback: report it"
        )

    def _count(self, verdict: Verdict) -> None:
        """For DEAD_LETTER_LIMIT: what failed of the records that Genesys Cloud was asked about. One
        that is to be looked at again has no answer yet."""
        internal = verdict.reason is Reason.INTERNAL_ERROR
        if (verdict.basis is not Basis.API and not internal) or (
            verdict.reason is Reason.NOT_YET_VISIBLE
        ):
            return
        failed = internal or verdict.decision in (Decision.FAILED, Decision.NOT_FOUND)
        self._mortality.count(verdict.reason.value if failed else None, self._clock.monotonic())

    async def _settle(
        self, work: Work, event: InteractionEvent, resting: Resting
    ) -> Verdict | None:
        """The verdict, in the table; None for a record that has been told already, as the table
        proves (promise 6)."""
        await work.tenure.owned()
        record = self._record(work, event)
        again = told_before(record, event, work.appearance)
        if again is not None:
            return again.verdict
        if self._table.expired(record):
            record = _new_record(work, event)
        verdict, record = await self._decide(work, event, record, resting)
        verdict = look_again(
            verdict,
            event,
            record,
            offset=work.source.offset,
            attempt=work.attempt + 1,
            now_ms=round(self._clock.time() * 1000),
            policy=self._policy,
        )
        return await self._write(work, event, record, verdict)

    def _record(self, work: Work, event: InteractionEvent) -> InteractionRecord:
        """What the table knows of the interaction, as far as it holds in this life of the log."""
        record = self._table.get(work.tp.partition, event.interaction_id)
        return _new_record(work, event) if record is None else of_life(record, work.life)

    async def _write(
        self, work: Work, event: InteractionEvent, record: InteractionRecord, verdict: Verdict
    ) -> Verdict:
        """Put the verdict into the table; returned with the times of the decision."""
        verdict = self._timed(work, verdict)
        after = decision.apply(
            record,
            event,
            work.source.offset,
            verdict,
            round(self._clock.time() * 1000),
            taken=work.taken,
            redriven=work.redriven,
        )
        await self._table.put(work.tenure, work.tp.partition, after)
        self._metrics.sequence_gaps(gaps(after.seen) - gaps(record.seen))
        return verdict

    def _timed(self, work: Work, verdict: Verdict) -> Verdict:
        """The verdict with when it was decided, and how long that took."""
        now = self._clock.time()
        return msgspec.structs.replace(
            verdict,
            decided_at=rfc3339(now),
            latency_ms=round((self._clock.monotonic() - work.taken_at) * 1000, 3),
            end_to_end_ms=round((now - work.occurred_at) * 1000, 3),
        )

    async def _decide(
        self, work: Work, event: InteractionEvent, record: InteractionRecord, resting: Resting
    ) -> tuple[Verdict, InteractionRecord]:
        """The verdict, and the record with the intent that was written on the way."""
        offset = work.source.offset
        calls = CallLog(guard=work.tenure.check, resting=resting)
        sent = decision.doubt(record, offset)
        if work.taken is None:
            step = decision.begin(record, event, offset, self._policy)
        else:
            step = decision.resume(record, event, offset, self._policy, redriven=work.redriven > 0)
        conflict: Step | None = None
        patches = 0
        while not isinstance(step, Settle):
            await work.tenure.owned()
            patch = step if isinstance(step, Patch) else None
            try:
                if patch is None:
                    interaction = await self._api.fetch(event.interaction_id, calls)
                    step = decision.after_fetch(interaction, sent, self._policy)
                    if conflict is not None and isinstance(step, Patch):
                        # It was not a PATCH of ours in doubt that the conflict was with.
                        step = conflict
                    continue
                intent = Intent(offset, patch.code)
                if record.intent != intent:
                    # The doubt of a record that was put off: its PATCH may still arrive, and what
                    # this one meets then is ours. One of the two says that it patched.
                    sent = sent or record.intent
                    record = msgspec.structs.replace(
                        record, intent=intent, updated_at=round(self._clock.time() * 1000)
                    )
                    await self._table.put(work.tenure, work.tp.partition, record)
                patches += 1
                status = await self._api.set_disposition(
                    event.interaction_id, patch.code, patch.etag, calls
                )
                step = decision.after_patch(patch, status)
            except OwnershipLost:
                # In doubt right before a request left: known by the time this returns.
                await work.tenure.owned()
                step = Fetch()
            except ApiError as error:
                after: Step | None = decision.after_error(error, patch, sent, self._policy)
                if isinstance(error, Conflict):
                    conflict = decision.after_error(error, patch, None, self._policy)
                if error.maybe_applied and patch is not None:
                    sent = record.intent
                too_often = patches >= PATCH_TRIES or error.retry_after > LONGEST_REST
                if after is None or (error.retriable and too_often):
                    after = Settle(self._put_off(work, error, record))
                elif error.retriable:
                    # It failed on the PATCH: it is given time before it is looked at.
                    async with resting():
                        wait = LOOK_BACKOFF.wait(patches, self._random)
                        await self._clock.sleep(max(wait, error.retry_after))
                step = after
        known = record.deferral(offset)
        before = known.verdict.api_calls if known is not None else 0
        verdict = msgspec.structs.replace(
            step.verdict, api_calls=before + calls.calls, attempts=calls.attempts
        )
        return verdict, record

    def _put_off(
        self, work: Work, error: ApiError | InternalError, record: InteractionRecord
    ) -> Verdict:
        attempt = work.attempt + 1
        asked = error.retry_after if isinstance(error, ApiError) else 0.0
        seconds = max(self._deferrals.seconds(attempt, self._random), asked)
        looks, visible_by = waited(record, work.source.offset)
        verdict = put_off(
            error,
            attempt,
            round((self._clock.time() + seconds) * 1000),
            self._policy,
            most=self._deferrals.most,
            others=record.waiting_beside(work.source.offset),
            looks=looks,
            visible_by=visible_by,
        )
        about: dict[str, object] = {
            "interaction": work.interaction_id,
            "partition": work.source.partition,
            "offset": work.source.offset,
            "attempt": attempt,
            "error": str(error),
        }
        if verdict.put_off is None:
            log.error("the work on a record failed once too often: it is dead", extra=about)
        else:
            about["seconds"] = round(seconds, 1)
            log.warning("the work on a record failed: it is put off", extra=about)
        return verdict


def _new_record(work: Work, event: InteractionEvent) -> InteractionRecord:
    return InteractionRecord(interaction_id=event.interaction_id, life=work.life)
