"""The last release writes, this one takes over, the last one takes back: state, what was put off,
and the outcomes. `make storm ARGS="--mixed"` does it in trouble."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.local.simulator.faults import Fault
from streams.settings import Settings
from streams.wire.retries import VERSION
from streams.worker.state.table import changelog
from tests.support.clusters import RunningKafka
from tests.support.journey import Journey, journey
from tests.support.oracle import nothing_left, read_all
from tests.support.releases import THIS, Release, built_last_release
from tests.support.workers import WorkerProcess, eventually, free_port, workers

INTERACTIONS = 40
SEED = 17
TURN_SECONDS = 60.0


@pytest.fixture(scope="module")
def last() -> Release:
    return built_last_release()


async def turn(
    worker: WorkerProcess, release: Release, centre: Journey, events: list[dict[str, Any]]
) -> None:
    """A release takes over and decides what the one before has put off; then the API is down, and
    it puts off what needs a call of these events."""
    worker.start(python=release.python)
    await worker.ready()
    await centre.all_published(TURN_SECONDS)
    centre.simulator.fail(Fault(status=503))
    await centre.send(events)
    topic = centre.settings.topics.events
    await eventually(lambda: nothing_left(centre.settings, topic), TURN_SECONDS, "all is taken up")
    assert worker.terminate() == 0, worker.output[-4000:]
    centre.simulator.fail(None)


async def put_off(centre: Journey) -> Counter[str]:
    """What is in ``retries``, by the version that it says."""
    records = await read_all(centre.settings, centre.settings.topics.retries)
    return Counter(dict(each.headers).get(VERSION, b"none").decode() for each in records)


async def remembered(centre: Journey) -> Counter[str]:
    """What was written of interactions, by the version that it says."""
    records = await read_all(centre.settings, changelog(centre.settings.app_id))
    values = (json.loads(each.value) for each in records if each.value is not None)
    return Counter(str(each.get("schemaVersion", "none")) for each in values)


@pytest.mark.timeout(300)  # on a machine with other work
async def test_there_and_back_and_there_again(
    last: Release, kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        worker_port=free_port(),
        kafka_session_timeout_seconds=6.0,
        retry_first_seconds=1.0,
        breaker_open_seconds=0.5,
    )
    async with journey(settings, interactions=INTERACTIONS, seed=SEED) as (centre, events):
        third = len(events) // 3
        with workers({"worker": centre.settings}, tmp_path) as started:
            worker = started["worker"]

            await turn(worker, last, centre, events[:third])
            assert (await put_off(centre)).keys() == {"none"}
            assert (await remembered(centre)).keys() == {"none"}

            await turn(worker, THIS, centre, events[third : 2 * third])
            before = await put_off(centre)
            assert before["1"] > 0
            assert (await remembered(centre))["1"] > 0

            await turn(worker, last, centre, events[2 * third :])
            assert (await put_off(centre))["none"] > before["none"]

            worker.start()
            await centre.all_published(TURN_SECONDS)
            await centre.all_committed(TURN_SECONDS)
            assert worker.terminate() == 0, worker.output[-4000:]
            for release in (last, THIS):
                assert worker.output.count(f"version={release.version} ") == 2
        decided = await centre.judge()
    assert decided[("patched", "eligible", "api")] > 0
    assert any(decision == "duplicate" for decision, _, _ in decided)
