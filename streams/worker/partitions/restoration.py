"""The restoration of the table from its changelog: where it begins, and whether it has ended.

Faust restores, but believes its own count, which goes ahead of the stores: a run of records counts
as soon as it is read, and is written later (test_faust_consumer.py). A restoration that has ended
in between leaves a table that lacks what another worker has written: a look would find nothing to
do, and a code in doubt would be sent again. So the stores are asked before an assignment begins.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import faust
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP

from streams.worker.partitions.collaborators import RestoredTable
from streams.worker.partitions.offset_range import OffsetRange

log = logging.getLogger(__name__)


class Restoration:
    """That of the app's one table, which is a RestoredTable."""

    def __init__(self, app: faust.App) -> None:
        self._app = app
        # Where each changelog ended when the restoration of its store began.
        self._ends: Mapping[TP, int] = {}

    def begin(self, kept: Mapping[TP, OffsetRange]) -> Mapping[TP, int]:
        """Set the offsets of Faust's recovery to those that the stores have applied. ``kept``: what
        the broker has of each changelog. Raises StoreError."""
        applied = self._table.begin_restoration(kept)
        for tp, offset in applied.items():
            self._recovery.active_offsets[tp] = offset
        self._ends = {tp: each.end for tp, each in kept.items()}
        return applied

    def finish(self) -> bool:
        """Write what was read. Returns whether the stores have all then that their changelogs had
        when it began; if not, Faust's recovery begins anew, as after a rebalance. Raises
        StoreError."""
        self._recovery.flush_buffers()
        behind = self._table.unrestored(self._ends)
        if behind:
            log.warning(
                "the table is not restored to the end of its changelog: it is read again",
                extra={
                    "applied": {tp.partition: behind[tp] for tp in sorted(behind)},
                    "ends": {tp.partition: self._ends[tp] for tp in sorted(behind)},
                },
            )
            self._recovery.signal_recovery_start.set()
        return not behind

    @property
    def _recovery(self) -> Recovery:
        tables = self._app.tables
        assert isinstance(tables, TableManager)
        return tables.recovery

    @property
    def _table(self) -> RestoredTable:
        (table,) = self._app.tables.values()
        assert isinstance(table, RestoredTable), "the app makes other tables than StoredTables"
        return table
