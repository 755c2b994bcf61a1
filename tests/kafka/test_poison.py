"""One record in ten is garbage: each is one dead letter with its bytes, and the rest go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streams.settings import Settings
from tests.support.clusters import RunningKafka
from tests.support.garbage import garbage, kinds
from tests.support.journey import journey
from tests.support.oracle import committed
from tests.support.poisoned import ONE_IN, Poisoned, mixed
from tests.support.workers import eventually, free_port, workers

SEED = 21
SECONDS = 8.0
PER_SECOND = 100


async def test_garbage_of_every_kind_stops_nothing_and_is_kept(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        worker_port=free_port(),
    )
    async with journey(settings, interactions=120, seed=SEED) as (plain, events):
        centre = Poisoned(plain.settings, plain.simulator, plain.truths)
        records = int(SECONDS * PER_SECOND)
        bad = garbage(records // ONE_IN, events, SEED)
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            places = mixed(events[: records - len(bad)], bad, SEED)
            await centre.send_mixed(places, seconds=SECONDS)

            async def at_the_end() -> bool:
                return await committed(centre.settings, settings.topics.events) == centre.ends

            await eventually(at_the_end, 10, "committed to the end: nothing holds a partition up")
            await centre.judge()
            dead = await centre.judge_garbage()
            assert len(centre.sent) + len(centre.garbage) == records
            assert dead.keys() == kinds(events).keys()
            centre.assert_no_call_wasted()
            assert worker.terminate() == 0
