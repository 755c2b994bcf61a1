"""Forgets interactions past their TTL, in the store and in the changelog (promise 11).

RocksDB's own TTL is not used: switched on for an existing store it corrupts values, and a partition
that idles loses the offset that Faust keeps beside them.
"""

from __future__ import annotations

import asyncio
import logging

from streams.errors import OwnershipLost
from streams.worker.steward import Steward
from streams.worker.table import InteractionTable

log = logging.getLogger(__name__)

# A sweep reads the whole store; once in a tenth of the TTL keeps what is kept too long small, and
# never oftener than this keeps the reading small.
SHORTEST_INTERVAL_SECONDS = 1.0
LONGEST_INTERVAL_SECONDS = 600.0


async def sweep_for_ever(steward: Steward, table: InteractionTable, ttl_seconds: float) -> None:
    """Sweep the partitions of the tenure in force, again and again. Raises PublishError."""
    interval = min(LONGEST_INTERVAL_SECONDS, max(SHORTEST_INTERVAL_SECONDS, ttl_seconds / 10))
    while True:
        tenure = steward.tenure
        if tenure is not None:
            try:
                for tp in tenure.frontiers:
                    forgotten = await table.sweep(tenure, tp.partition)
                    if forgotten:
                        log.info(
                            "interactions forgotten",
                            extra={"partition": tp.partition, "count": forgotten},
                        )
            except OwnershipLost:
                log.debug("sweep left to the partitions' next owner")
        await asyncio.sleep(interval)
