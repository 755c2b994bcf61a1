"""A worker whose Faust hangs on its way out, once its partitions are given up.

python -m tests.kafka.hanging
"""

from __future__ import annotations

import asyncio
import sys

from streams.cli.main import run
from streams.worker.partitions.consumer import StreamsApp


async def stop(app: StreamsApp) -> None:
    """As seen of Faust's own in a rebalance: no cancellation ends it."""
    await app.assignments.end(app.consumer.commit)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


if __name__ == "__main__":
    StreamsApp.stop = stop  # type: ignore[assignment]  # it is a StreamsApp that is stopped
    sys.exit(run(["worker"]))
