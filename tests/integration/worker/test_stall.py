"""A worker that hangs ends, and its log says where."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from streams.settings import Settings
from tests.support.journey import journey
from tests.support.workers import free_port, workers

ENDS_SECONDS = 60.0


async def test_at_its_end_every_task_and_thread_says_where_it_stands(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        worker_port=free_port(), kafka_session_timeout_seconds=6.0, stall_seconds=2.0
    )
    async with journey(settings, interactions=10, seed=1) as (centre, events):
        with workers({"hangs": centre.settings}, tmp_path) as started:
            worker = started["hangs"]
            worker.start("tests.integration.worker.stalling")
            await worker.ready()
            await centre.send(events)
            assert await asyncio.to_thread(worker.ended, ENDS_SECONDS) == 1
            said = worker.output

    assert "records wait and none was finished" in said
    lanes = next(line for line in said.splitlines() if "stalling.py" in line)
    assert " never < " in lanes
    assert "lanes.py" in lanes
    assert "where the threads stand" in said
