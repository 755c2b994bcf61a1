"""A seeded storm: workers killed, frozen, stopped, under load and API faults, judged from outside.

Replay a run with the seed in its name: ``STORM_SEED=7 STORM_SECONDS=60 make test-kafka``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import pytest

from streams.local.simulator.faults import CHAOS
from streams.local.simulator.latency import Latency
from streams.settings import Settings
from tests.clusters import RunningKafka
from tests.journey import journey
from tests.workers import WorkerProcess, free_port, workers

log = logging.getLogger(__name__)

SEED = int(os.environ.get("STORM_SEED", "7"))
SECONDS = float(os.environ.get("STORM_SECONDS", "30"))

# About eight events each; what two cores get through with time to spare for what is done again.
INTERACTIONS_PER_SECOND = 20

SESSION_SECONDS = 4.0

# Freezes both shorter and longer than the session: only the longer ones make zombies.
FREEZE_SECONDS = (1.0, 8.0)
CALM_SECONDS = (0.5, 4.0)

NAMES = ("first", "second", "third")


class Storm:
    """Faults drawn from the seed; a worker that has ended, however, is started again."""

    def __init__(self, fleet: Mapping[str, WorkerProcess], seed: int) -> None:
        self._fleet = fleet
        self._random = Random(seed)
        self.struck: Counter[str] = Counter()

    async def rage(self, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(self._random.uniform(*CALM_SECONDS))
            worker = self._fleet[self._random.choice(NAMES)]
            fault = self._random.choice((self.kill, self.freeze, self.stop))
            seconds = self._random.uniform(*FREEZE_SECONDS)
            self.revive()
            await fault(worker, seconds)
        self.revive()

    async def kill(self, worker: WorkerProcess, _: float) -> None:
        self.struck["kill -9"] += 1
        worker.kill()
        worker.start()

    async def freeze(self, worker: WorkerProcess, seconds: float) -> None:
        self.struck["SIGSTOP"] += 1
        worker.freeze()
        await asyncio.sleep(seconds)
        worker.thaw()

    async def stop(self, worker: WorkerProcess, _: float) -> None:
        self.struck["SIGTERM"] += 1
        await asyncio.to_thread(worker.terminate)
        worker.start()

    def revive(self) -> None:
        for worker in self._fleet.values():
            if worker.exit_code is not None:
                self.struck[f"ended by itself: {worker.exit_code}"] += 1
                worker.start()


@pytest.mark.timeout(120 + SECONDS * 4)
@pytest.mark.parametrize("seed", [SEED])
async def test_nothing_lost_nothing_done_twice(
    seed: int, kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_session_timeout_seconds=SESSION_SECONDS,
        api_timeout_seconds=2.0,
    )
    count = int(SECONDS * INTERACTIONS_PER_SECOND)
    async with journey(settings, interactions=count, seed=seed) as (centre, events):
        centre.simulator.faults.plan(CHAOS)
        centre.simulator.latency = Latency(median_ms=50)
        each = {
            name: centre.settings.model_copy(
                update={"data_dir": tmp_path / f"data-{name}", "worker_port": free_port()}
            )
            for name in NAMES
        }
        with workers(each, tmp_path) as fleet:
            for worker in fleet.values():
                worker.start()
            await asyncio.gather(*(worker.ready() for worker in fleet.values()))
            storm = Storm(fleet, seed)
            raging = asyncio.create_task(storm.rage(time.monotonic() + SECONDS))
            await centre.send(events, seconds=SECONDS)
            await raging
            await centre.all_told(90)
            await centre.all_committed(20)
            decided = await centre.judge()
            log.info("%s in %d events, decided %s", storm.struck, len(events), decided)
            assert storm.struck.total() > SECONDS / 10
