"""One record's road, from its lane to the frontier (design, One way through).

The order of what is acknowledged is the guarantee: intent before the PATCH leaves (promise 4), the
verdict in the table before its outcome is told (promise 6: told again, it is the same), and all of
it before the record is finished (promise 3). Ownership is asked before each effect (promise 8).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Protocol

import msgspec

from streams import decision
from streams.clock import Clock, rfc3339
from streams.decision import Fetch, Patch, Policy, Settle, Step
from streams.envelope import InteractionEvent
from streams.errors import ApiError, Conflict, EnvelopeError, OwnershipLost, RateLimited
from streams.genesys.api import CallLog, GenesysApi
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
from streams.worker.report import Report
from streams.worker.table import InteractionTable
from streams.worker.work import Work

log = logging.getLogger(__name__)

# First and longest wait of a record whose tries are used up, before jitter: soon enough to profit
# from a short outage, slow enough not to hammer an API that has a bad hour.
HOLD_FIRST_SECONDS = 1.0
HOLD_LONGEST_SECONDS = 60.0


class Aside(Protocol):
    """Gives the lane's slot back for as long as the context lasts."""

    def __call__(self) -> AbstractAsyncContextManager[None]: ...


class Road:
    """Decides one record at a time; safe to run for many lanes side by side."""

    def __init__(
        self,
        *,
        table: InteractionTable,
        api: GenesysApi,
        report: Report,
        policy: Policy,
        clock: Clock,
        random: Random,
        metrics: WorkerMetrics,
    ) -> None:
        self._table = table
        self._api = api
        self._report = report
        self._policy = policy
        self._clock = clock
        self._random = random
        self._metrics = metrics

    async def travel(self, work: Work, aside: Aside) -> None:
        """Bring the record to its final outcome and finish it.

        Raises OwnershipLost when its partition is given up, with nothing finished; PublishError
        when Kafka does not acknowledge, which ends the worker.
        """
        with self._report.process(work) as told:
            if isinstance(work.event, EnvelopeError):
                verdict = self._malformed(work.event)
            else:
                settled = await self._settle(work, work.event, aside)
                if settled is None:
                    self._metrics.repeated(work.tp.partition)
                    work.finish()
                    return
                verdict = settled
            await work.tenure.owned()
            await self._report.tell(work, verdict, told)
        work.finish()

    async def _settle(self, work: Work, event: InteractionEvent, aside: Aside) -> Verdict | None:
        """The verdict, in the table; None for a record that a later one of its interaction proves
        to have been told already (promise 6)."""
        await work.tenure.owned()
        partition = work.tp.partition
        record = self._table.get(partition, event.interaction_id)
        if record is not None and record.last_offset is not None:
            if work.offset < record.last_offset:
                return None
            if work.offset == record.last_offset and record.verdict is not None:
                # Decided before a crash, perhaps not told.
                return record.verdict
            if self._table.expired(record):
                record = None
        if record is None:
            record = InteractionRecord(interaction_id=event.interaction_id)
        verdict = await self._decide(work, event, record, aside)
        now = self._clock.time()
        verdict = msgspec.structs.replace(verdict, decided_at=rfc3339(now))
        after = decision.apply(record, event, work.offset, verdict, round(now * 1000))
        await self._table.put(work.tenure, partition, after)
        self._metrics.sequence_gaps(gaps(after.seen) - gaps(record.seen))
        return verdict

    async def _decide(
        self, work: Work, event: InteractionEvent, record: InteractionRecord, aside: Aside
    ) -> Verdict:
        calls = CallLog(guard=work.tenure.check)
        sent = record.intent if decision.in_doubt(record, work.offset) else None
        step = decision.begin(record, event, work.offset, self._policy)
        conflict: Step | None = None
        holds = 0
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
                intent = Intent(work.offset, patch.code)
                if record.intent != intent:
                    record = msgspec.structs.replace(
                        record, intent=intent, updated_at=round(self._clock.time() * 1000)
                    )
                    await self._table.put(work.tenure, work.tp.partition, record)
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
                if after is None or (error.retriable and patch is not None):
                    await self._hold(work, error, holds, aside)
                    holds += 1
                step = after or Fetch()
        return msgspec.structs.replace(step.verdict, api_calls=calls.calls, attempts=calls.attempts)

    async def _hold(self, work: Work, error: ApiError, holds: int, aside: Aside) -> None:
        """Keep the record, give the slot to another lane, and wait, longer each time."""
        ceiling = min(HOLD_LONGEST_SECONDS, HOLD_FIRST_SECONDS * 2**holds)
        seconds = self._random.uniform(ceiling / 2, ceiling)
        if isinstance(error, RateLimited):
            seconds = max(seconds, error.retry_after)
        log.warning(
            "holding a record until Genesys Cloud can be asked again",
            extra={
                "partition": work.tp.partition,
                "offset": work.offset,
                "seconds": round(seconds, 1),
                "error": str(error),
            },
        )
        self._metrics.held()
        async with aside():
            try:
                await asyncio.wait_for(work.tenure.ending.wait(), seconds)
            except TimeoutError:
                return
        raise OwnershipLost("the partition is being given up while the record is held")

    def _malformed(self, error: EnvelopeError) -> Verdict:
        return Verdict(
            Decision.FAILED,
            Reason.MALFORMED,
            Basis.EVENT,
            dry_run=self._policy.dry_run,
            decided_at=rfc3339(self._clock.time()),
            error=Fault(code="malformed-event", message=str(error)),
        )
