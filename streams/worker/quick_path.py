"""The quick path: a record for which event and table are enough is decided where it is taken up.

It goes into the open group (``group_commit``) at once: no lane, no task, and nobody waits for it.
The group makes its outcome. Nine of ten records are such. All others take the way through their
lane (``processor``).
"""

from __future__ import annotations

from streams.core.decision import MOST_UNPUBLISHED, Settle
from streams.core.envelope import InteractionEvent
from streams.core.records import InteractionRecord
from streams.core.redelivery import Redelivery, redelivery_of
from streams.worker.decider import Decider, is_plain
from streams.worker.group_commit import GroupCommit
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import decided
from streams.worker.record_faults import NOT_THE_RECORDS


class QuickPath:
    """Decides a record without waiting for anything, or leaves it as it is."""

    def __init__(
        self,
        *,
        decider: Decider,
        commits: GroupCommit[InteractionRecord],
        metrics: WorkerMetrics,
    ) -> None:
        self._decider = decider
        self._commits = commits
        self._metrics = metrics

    def take(self, record: SourceRecord) -> bool:
        """Decide the record, and put it into the open group, if event and table are enough for it.
        False, and nothing has changed, for a record that has to be worked on in its lane: it needs
        a call, or is not an event, or anything else is out of the ordinary.

        Nothing else of the record's interaction may be under way but in groups. Raises StoreError.
        """
        event = record.event
        if not isinstance(event, InteractionEvent) or record.returned_at is not None:
            return False
        try:
            return self._taken(record, event)
        except NOT_THE_RECORDS:
            raise
        except Exception:  # noqa: BLE001 - its lane meets the fault again, and reports it
            return False

    def _taken(self, record: SourceRecord, event: InteractionEvent) -> bool:
        known = self._decider.known(record, event)
        again = redelivery_of(known, event, record.appearance)
        if again is not None:
            return self._again(record, again)
        known = self._decider.unexpired(record, event, known)
        step = self._decider.inquiry(record, event, known).step
        if not isinstance(step, Settle) or not is_plain(step.verdict):
            return False
        if len(known.unpublished) >= MOST_UNPUBLISHED:
            return False  # its lane waits until the groups before are published
        verdict, after = self._decider.decided(record, event, known, step.verdict)
        ready = decided(record, verdict, after)
        record.begin()
        self._commits.add(ready)
        self._decider.count_gaps(known, after)
        return True

    def _again(self, record: SourceRecord, again: Redelivery) -> bool:
        """Whether nothing is left to be done of a record that comes again, but to publish its
        outcome once more."""
        if again.verdict is None:
            self._metrics.repeated(record.tp.partition)
            record.begin()
            record.finish()
            return True
        if not is_plain(again.verdict):
            return False
        record.begin()
        self._commits.add(decided(record, again.verdict, None))
        return True
