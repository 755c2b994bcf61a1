"""Forgets interactions past their TTL (promise 11); the changelog forgets by its retention.

RocksDB's own TTL is not used: switched on for an existing store it cuts the values, and a partition
that idles loses the offset that Faust keeps beside them (shown by test_rocksdb.py).
"""

from __future__ import annotations

import logging
from typing import Any

from streams.clock import Clock
from streams.errors import OwnershipLost
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.state.table import InteractionTable

log = logging.getLogger(__name__)

# A sweep reads the whole store. With this many in a TTL, an interaction is kept for a tenth of it
# too long at most; the shortest interval limits the reading. The first sweep of an assignment comes
# at once, because it also counts the interactions.
SWEEPS_IN_A_TTL = 10
SHORTEST_INTERVAL_SECONDS = 1.0
LONGEST_INTERVAL_SECONDS = 600.0

# How soon a new assignment is noticed.
LOOK_SECONDS = 1.0


async def sweep_for_ever(
    assignments: Assignments, table: InteractionTable[Any], clock: Clock, ttl_seconds: float
) -> None:
    """Sweep the partitions of the assignment in force, again and again."""
    interval = max(SHORTEST_INTERVAL_SECONDS, ttl_seconds / SWEEPS_IN_A_TTL)
    interval = min(LONGEST_INTERVAL_SECONDS, interval)
    swept: Assignment | None = None
    due = clock.monotonic()
    while True:
        assignment = assignments.current
        if assignment is not None and (assignment is not swept or clock.monotonic() >= due):
            swept, due = assignment, clock.monotonic() + interval
            await _sweep(assignment, table)
        await clock.sleep(LOOK_SECONDS)


async def _sweep(assignment: Assignment, table: InteractionTable[Any]) -> None:
    try:
        for partition in assignment.partitions:
            forgotten = await table.sweep(assignment, partition)
            if forgotten:
                log.info(
                    "interactions forgotten",
                    extra={"partition": partition, "count": forgotten},
                )
    except OwnershipLost:
        log.debug("sweep left to the partitions' next owner")
