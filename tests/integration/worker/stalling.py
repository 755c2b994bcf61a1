"""A worker whose work on a record never comes to an end, for no cause that it knows.

python -m tests.integration.worker.stalling
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext

from streams.cli.main import run
from streams.clock import Resting
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.processor import RecordProcessor


async def process(
    processor: RecordProcessor, record: SourceRecord, resting: Resting = nullcontext
) -> None:
    await never()


async def never() -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    RecordProcessor.process = process  # type: ignore[assignment, method-assign]
    sys.exit(run(["worker"]))
