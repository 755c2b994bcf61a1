"""What waits, as an operator asks for it: a worker, its API and its end."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from streams.local.broker import EmbeddedBroker
from streams.local.simulator.faults import Fault, FaultPlan, Rate
from streams.settings import Settings
from streams.wire.stuck import Drain, read_standing
from tests.support.journey import journey
from tests.support.workers import WorkerProcess, eventually, free_port, workers

log = logging.getLogger(__name__)

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
            # Apache Kafka says that nobody is in the group. Else the worker of this machine is
            # asked, and does not answer.
            assert code == (1 if isinstance(broker, EmbeddedBroker) else 0)
            left = [line for line in lines if line["kind"] == "not-taken-up"]
            assert {line["cause"] for line in left} == {"no-worker"}
            assert all(line["interactionId"] and line["since"] for line in left)


# Requests a minute: an outage's backlog of some hundreds takes well over ten seconds.
BUDGET = 600

# What the reckoning may be off: it takes the average for each, and a machine that is busy is late.
TOLERANCE = 0.3
LATE_SECONDS = 4.0


async def test_the_time_to_drain_after_an_outage_is_what_then_happens(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        worker_port=free_port(),
        kafka_session_timeout_seconds=6.0,
        breaker_open_seconds=3.0,
        retry_first_seconds=4.0,
        genesys_requests_per_minute=BUDGET,
    )
    async with journey(settings, interactions=240, seed=3, requests_per_minute=BUDGET) as (
        centre,
        events,
    ):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            before = len(events) // 3
            await centre.send(events[:before])
            await centre.all_published(PATIENCE)

            centre.simulator.faults.plan(FaultPlan((Rate(1.0, Fault(status=500)),)))
            await centre.send(events[before:])

            async def held_by_the_breaker() -> bool:
                return (await drain(worker)).held_by == "breaker"

            await eventually(held_by_the_breaker, PATIENCE, "the breaker holds all back")
            centre.simulator.faults.plan(FaultPlan())

            async def let_go() -> bool:
                return not await held_by_the_breaker()

            await eventually(let_go, PATIENCE, "the breaker is closed", every=0.05)
            told, began = await drain(worker), time.monotonic()
            await centre.all_published(3 * PATIENCE)
            took = time.monotonic() - began

    assert told.seconds is not None
    log.info("told %.1f s for %d that wait; took %.1f s", told.seconds, told.waiting, took)
    assert told.seconds > 5, "too little to be measured"
    assert abs(told.seconds - took) <= TOLERANCE * took + LATE_SECONDS, (told, took)


async def drain(worker: WorkerProcess) -> Drain:
    async with aiohttp.ClientSession(worker.url) as session, session.get("/stuck") as answer:
        return read_standing(await answer.read()).drain
