"""One record's road, from its lane to the frontier (design, One way through).

The order of what is acknowledged is the guarantee: intent before the PATCH leaves (promise 4), the
verdict in the table before its outcome is told (promise 6: told again, it is the same), and all of
it before the record is finished (promise 3). Ownership is asked before each effect (promise 8).
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random

import msgspec

from streams import decision
from streams.clock import Clock, Resting, rfc3339
from streams.decision import Fetch, Patch, Policy, Settle, Step
from streams.envelope import InteractionEvent
from streams.errors import ApiError, Conflict, EnvelopeError, OwnershipLost
from streams.genesys.api import CallLog, GenesysApi
from streams.genesys.retry import LONGEST_REST, Backoff
from streams.records import (
    Basis,
    Decision,
    Fault,
    Intent,
    InteractionRecord,
    Reason,
    Verdict,
)
from streams.sequence import gaps
from streams.telemetry.metrics import WorkerMetrics
from streams.worker.mortality import Mortality
from streams.worker.report import Report
from streams.worker.table import InteractionTable
from streams.worker.work import Work

log = logging.getLogger(__name__)

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

        Raises OwnershipLost when its partition is given up, with nothing finished; PublishError
        when Kafka does not acknowledge, which ends the worker.
        """
        with self._report.process(work) as told:
            if isinstance(work.event, EnvelopeError):
                verdict = self._malformed(work.event)
            else:
                settled = await self._settle(work, work.event, resting)
                if settled is None:
                    self._metrics.repeated(work.tp.partition)
                    work.finish()
                    return
                verdict = settled
            await work.tenure.owned()
            await self._report.tell(work, verdict, told)
        work.finish()
        if verdict.basis is Basis.API:
            failed = verdict.decision is Decision.FAILED
            self._mortality.count(verdict.reason.value if failed else None, self._clock.monotonic())

    async def _settle(
        self, work: Work, event: InteractionEvent, resting: Resting
    ) -> Verdict | None:
        """The verdict, in the table; None for a record that has been told already, as the table
        proves (promise 6)."""
        await work.tenure.owned()
        partition, offset = work.tp.partition, work.source.offset
        record = self._table.get(partition, event.interaction_id)
        if record is not None:
            again = _told_before(record, work)
            if again is not None:
                return again.verdict
            if self._table.expired(record):
                record = None
        if record is None:
            record = InteractionRecord(interaction_id=event.interaction_id)
        verdict, record = await self._decide(work, event, record, resting)
        now = self._clock.time()
        verdict = msgspec.structs.replace(verdict, decided_at=rfc3339(now))
        after = decision.apply(
            record,
            event,
            offset,
            verdict,
            round(now * 1000),
            taken=work.taken,
            redriven=work.redriven,
        )
        await self._table.put(work.tenure, partition, after)
        self._metrics.sequence_gaps(gaps(after.seen) - gaps(record.seen))
        return verdict

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

    def _put_off(self, work: Work, error: ApiError, record: InteractionRecord) -> Verdict:
        attempt = work.attempt + 1
        seconds = max(self._deferrals.seconds(attempt, self._random), error.retry_after)
        verdict = decision.put_off(
            error,
            attempt,
            round((self._clock.time() + seconds) * 1000),
            self._policy,
            most=self._deferrals.most,
            others=record.waiting_beside(work.source.offset),
        )
        about: dict[str, object] = {
            "interaction": work.interaction_id,
            "partition": work.source.partition,
            "offset": work.source.offset,
            "attempt": attempt,
            "error": str(error),
        }
        if verdict.put_off is None:
            log.error("Genesys Cloud failed once too often: the record is dead", extra=about)
        else:
            about["seconds"] = round(seconds, 1)
            log.warning("Genesys Cloud failed: the record is put off", extra=about)
        return verdict

    def _malformed(self, error: EnvelopeError) -> Verdict:
        return Verdict(
            Decision.FAILED,
            Reason.MALFORMED,
            Basis.EVENT,
            dry_run=self._policy.dry_run,
            decided_at=rfc3339(self._clock.time()),
            error=Fault(code="malformed-event", message=str(error)),
        )


@dataclass(frozen=True, slots=True)
class Told:
    """A record that was decided before. ``verdict``: to be told, perhaps again; None when it surely
    was."""

    verdict: Verdict | None


def _told_before(record: InteractionRecord, work: Work) -> Told | None:
    """What the table proves of a record that comes again; None when it is to be decided."""
    known = record.deferral(work.source.offset)
    if work.taken is not None:
        if known is None or known.redriven < work.redriven:
            return None
        if known.taken == work.taken:
            # Decided before a crash, perhaps not told.
            return Told(known.verdict)
        later = known.taken is not None and work.taken < known.taken
        put_off = known.verdict.put_off
        copy = put_off is None or put_off.attempt != work.attempt
        return Told(None) if later or copy or known.redriven > work.redriven else None
    if record.last_offset is None or work.offset > record.last_offset:
        return None
    if work.offset == record.last_offset and record.verdict is not None:
        # A record put off that came back: it has been in `retries`, behind its outcome.
        return Told(None if known is not None and known.taken is not None else record.verdict)
    return Told(None) if work.offset < record.last_offset else None
