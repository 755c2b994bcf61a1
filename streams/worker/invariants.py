"""Looks at the running worker whether it keeps its promises, and counts what it finds.

The counter of violations must stay 0: it is there for faults that no test has found. What is looked
at is not what the promise is kept by. It is looked at seldom enough to cost nothing: at each commit
and each publication, of a group of records once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from faust.types import TP

from streams.core.records import Decision, Reason, Verdict
from streams.errors import RecordError
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.assignment import Assignment

log = logging.getLogger(__name__)

# Interactions whose last published offset is remembered, twice this many at most. Records that
# could overtake one another are under way together, and no more than a tenth of this many are.
REMEMBERED = 20_000

# Unfinished records of a partition that a commit looks at, on the average. Of a million looks that
# are planned each commit would look at each one, and that takes the worker 25 ms of every second.
LOOKED_AT = 20_000


class Invariants:
    """``kept``: whether the table proves that an event was decided. ``events``: the topic in whose
    order an interaction's outcomes are published."""

    def __init__(
        self, *, kept: Callable[[SourceRecord], bool], events: str, metrics: WorkerMetrics
    ) -> None:
        self._kept = kept
        self._events = events
        self._metrics = metrics
        self._assignment: Assignment | None = None
        self._published: dict[object, int] = {}
        self._published_before: dict[object, int] = {}
        # How many of a partition's unfinished records may be looked at, saved up by its commits.
        self._looks: Counter[TP] = Counter()

    def committing(
        self, assignment: Assignment, offsets: Mapping[TP, int], surely_open: Iterable[SourceRecord]
    ) -> None:
        """No commit passes an open record (promise 2). ``offsets``: those to be committed.
        ``surely_open``: records that wait in memory, whatever the frontiers say of them."""
        passed: Counter[TP] = Counter()
        for record in surely_open:
            if record.offset < offsets.get(record.tp, 0):
                passed[record.tp] += 1
        for tp, offset in offsets.items():
            frontier = assignment.frontiers[tp]
            self._looks[tp] += LOOKED_AT
            if self._looks[tp] < frontier.unfinished:
                continue
            self._looks[tp] = 0
            lowest = frontier.lowest_open()
            if lowest is not None and lowest < offset:
                passed[tp] += 1
        self._metrics.invariant_checked("commit", len(offsets), len(passed))
        for tp in passed:
            log.error(
                "a commit passes a record that is not finished: report it",
                extra={"topic": tp.topic, "partition": tp.partition, "offset": offsets[tp]},
            )

    def waited(self, record: SourceRecord) -> None:
        """No commit has passed a record whose time has come, wherever it has waited: where that was
        the disk, the commits did not look for it (promise 2)."""
        committed = record.assignment.frontiers[record.tp].committed
        self._metrics.invariant_checked("commit", 1, int(record.offset < committed))
        if record.offset < committed:
            log.error(
                "a commit has passed a record that is not finished: report it",
                extra=_of(record) | {"committed": committed},
            )

    def publishing(self, record: SourceRecord, verdict: Verdict) -> None:
        """No outcome leaves before the table has its verdict (promise 6): were the worker killed
        now, the record would be recognised. The caller owns the partition."""
        if isinstance(record.event, RecordError) or _can_not_be_kept(verdict):
            return
        kept = self._kept(record)
        self._metrics.invariant_checked("record", 1, 0 if kept else 1)
        if not kept:
            log.error(
                "an outcome leaves without its verdict in the table: report it", extra=_of(record)
            )

    def published(self, records: Sequence[SourceRecord]) -> None:
        """The outcomes of an interaction are published in the order of its records (promise 1).
        Those of records that were put off come later, when their time has come."""
        if records[0].assignment is not self._assignment:
            # What was published before may be published again.
            self._assignment = records[0].assignment
            self._published, self._published_before = {}, {}
        published, before = self._published, self._published_before
        late = checked = 0
        for record in records:
            if record.tp.topic != self._events or record.interaction_id is None:
                continue
            lane, offset = record.lane, record.offset
            last = published.get(lane)
            if last is None:
                last = before.get(lane, -1)
            checked += 1
            if offset < last:
                late += 1
                log.error(
                    "an outcome was published behind a later one of its interaction: report it",
                    extra=_of(record) | {"later": last},
                )
            else:
                published[lane] = offset
        self._metrics.invariant_checked("order", checked, late)
        if len(published) > REMEMBERED:
            self._published, self._published_before = {}, published


def _can_not_be_kept(verdict: Verdict) -> bool:
    """Whether it may be on a record of which the table can keep nothing."""
    return verdict.decision is Decision.FAILED and verdict.reason is Reason.INTERNAL_ERROR


def _of(record: SourceRecord) -> dict[str, object]:
    return {
        "interaction": record.interaction_id,
        "partition": record.source.partition,
        "offset": record.source.offset,
    }
