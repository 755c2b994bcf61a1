"""What both ways to a verdict share: the quick one (``quick_path``) and that through a lane
(``processor``). It reads an interaction's record, and says what becomes of it. It writes nothing.
"""

from __future__ import annotations

from streams.clock import Clock
from streams.core import decision
from streams.core.decision import Policy
from streams.core.envelope import InteractionEvent
from streams.core.inquiry import Inquiry
from streams.core.records import Decision, InteractionRecord, Verdict
from streams.core.redelivery import of_life, redelivery_of
from streams.core.retry_policy import PATCHES, PatchPolicy
from streams.core.sequence import gaps
from streams.worker.group_commit import GroupCommit
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.state.table import InteractionTable


class Decider:
    """Reads the table as the groups that are under way will leave it."""

    def __init__(
        self,
        *,
        table: InteractionTable[InteractionRecord],
        commits: GroupCommit[InteractionRecord],
        policy: Policy,
        patches: PatchPolicy = PATCHES,
        clock: Clock,
        metrics: WorkerMetrics,
    ) -> None:
        self._table = table
        self._commits = commits
        self._policy = policy
        self._patches = patches
        self._clock = clock
        self._metrics = metrics

    def known(self, record: SourceRecord, event: InteractionEvent) -> InteractionRecord:
        """The interaction's record in the table, as far as it is valid in this life of the log;
        else a new one. Raises StoreError."""
        partition, interaction_id = record.tp.partition, event.interaction_id
        known = self._commits.state((partition, interaction_id))
        if known is None:
            known = self._table.get(partition, interaction_id)
        return _never_seen(record, event) if known is None else of_life(known, record.life)

    def kept(self, record: SourceRecord) -> bool:
        """Whether the store, and no group, proves that this event was decided. Raises
        StoreError."""
        event = record.event
        assert isinstance(event, InteractionEvent), "no other is parsed in this dialect"
        known = self._table.get(record.tp.partition, event.interaction_id)
        if known is None:
            return False
        return redelivery_of(of_life(known, record.life), event, record.appearance) is not None

    def unexpired(
        self, record: SourceRecord, event: InteractionEvent, known: InteractionRecord
    ) -> InteractionRecord:
        """The interaction's record; a new one in the place of one past its TTL."""
        return _never_seen(record, event) if self._table.expired(known) else known

    def inquiry(
        self, record: SourceRecord, event: InteractionEvent, known: InteractionRecord
    ) -> Inquiry:
        """What is asked about the source record, at its first step."""
        return Inquiry(
            known,
            event,
            record.source.offset,
            self._policy,
            returned=record.returned_at is not None,
            redriven=record.redriven > 0,
            limits=self._patches,
        )

    def decided(
        self,
        record: SourceRecord,
        event: InteractionEvent,
        known: InteractionRecord,
        verdict: Verdict,
    ) -> tuple[Verdict, InteractionRecord]:
        """The verdict with the times of the decision, and the interaction's record with it."""
        verdict = record.timed(verdict, self._clock)
        after = decision.apply(
            known,
            event,
            record.source.offset,
            verdict,
            round(self._clock.time() * 1000),
            returned_at=record.returned_at,
            redriven=record.redriven,
            is_open=record.is_open,
        )
        return verdict, after

    def count_gaps(self, known: InteractionRecord, after: InteractionRecord) -> None:
        """Count the gaps in its sequence that a source record has opened or closed."""
        self._metrics.sequence_gaps(gaps(after.seen) - gaps(known.seen))


def is_plain(verdict: Verdict) -> bool:
    """Whether the outcome is all that has to be published: no dead letter, no deferral."""
    return verdict.decision is not Decision.FAILED and verdict.put_off is None


def _never_seen(record: SourceRecord, event: InteractionEvent) -> InteractionRecord:
    return InteractionRecord(interaction_id=event.interaction_id, life=record.life)
