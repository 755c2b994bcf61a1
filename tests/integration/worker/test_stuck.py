"""What waits, as an operator asks for it: a worker, its API and its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.local.simulator.faults import Fault, FaultPlan, Rate
from streams.settings import Settings
from tests.support.journey import journey
from tests.support.workers import WorkerProcess, eventually, free_port, workers

PATIENCE = 90.0


async def stuck(worker: WorkerProcess) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and each line as it is with ``--json``."""
    ran = await asyncio.to_thread(worker.run, "-m", "streams", "stuck", "--json")
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()]


async def test_an_outage_from_its_first_call_to_a_worker_that_is_gone(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        worker_port=free_port(), kafka_session_timeout_seconds=6.0, breaker_open_seconds=600.0
    )
    async with journey(settings, interactions=20, seed=1) as (centre, events):
        centre.simulator.faults.plan(FaultPlan((Rate(1.0, Fault(status=500)),)))
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events)

            async def told(cause: str) -> bool:
                code, lines = await stuck(worker)
                assert code == 0, lines
                return cause in [line.get("cause") for line in lines if line["kind"] == "record"]

            await eventually(lambda: told("breaker"), PATIENCE, "the breaker is named")
            _, lines = await stuck(worker)
            waiting = [line for line in lines if line["kind"] == "record"]
            assert [each["since"] for each in waiting] == sorted(each["since"] for each in waiting)
            held = next(each for each in waiting if each["cause"] == "breaker")
            assert held["nextAt"] is not None
            assert held["interactionId"]
            assert held["worker"] == worker.url
            (teller,) = (line for line in lines if line["kind"] == "worker")
            assert (teller["open"], teller["error"]) == (len(waiting), None)

            assert worker.terminate() == 0, worker.output
            code, lines = await stuck(worker)
            assert code == 1, "the worker that is set does not answer"
            left = [line for line in lines if line["kind"] == "not-taken-up"]
            assert {line["cause"] for line in left} == {"no-worker"}
            assert all(line["interactionId"] and line["since"] for line in left)
