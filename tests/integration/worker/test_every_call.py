"""All the calls there are, through bridge, Kafka and worker, in trouble and in peace.

They are the repository's own, in trouble; or those of another directory in the same form, both
ways, as fast as SCALE says, a tenth of their time for example:

    SCENARIOS=DIRECTORY SCALE=0.1 pytest --kafka -m kafka -k every_call
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import aiohttp
import pytest

from streams.clock import SystemClock
from streams.kafka.topics import apply_topics
from streams.local.conversations.population import delivered
from streams.local.conversations.scenario import Scenario
from streams.local.generator.delivery import Delivery
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving
from streams.settings import Settings
from streams.timestamps import epoch_ms
from tests.support.bridges import bridge_on
from tests.support.journey import CODE, UNLIMITED
from tests.support.oracle import nothing_left
from tests.support.told_calls import (
    SCALE,
    SCENARIOS,
    Json,
    calls,
    outcomes,
    settings_for,
    twice_and_late,
)
from tests.support.workers import WorkerProcess, eventually, workers

ALL = sorted(Path(os.environ.get("SCENARIOS", SCENARIOS)).glob("*.json"))
FAST = float(os.environ.get("SCALE", SCALE))

# In peace the demo plays conversations each time.
WAYS = (True, False) if "SCENARIOS" in os.environ else (True,)

# The longest call is one of an hour.
LONGEST_SECONDS = 3_900 * FAST + 300


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.timeout(LONGEST_SECONDS)
@pytest.mark.parametrize(
    "trouble", WAYS, ids=lambda trouble: "in trouble" if trouble else "in peace"
)
async def test_each_leg_has_its_code_once_and_in_time(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path, *, trouble: bool
) -> None:
    """In trouble each event comes twice and late, and the worker is killed again and again for as
    long as they come."""
    random = Random(2027)
    simulator = Simulator([], seed=1, requests_per_minute=UNLIMITED)
    async with serving(simulator) as url:
        settings = make_settings(**settings_for(url, FAST))
        apply_topics(settings.kafka)
        with workers({"alone": settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            told = calls(round(time.time() * 1000) + 500, ALL, FAST)
            simulator.conversations.store.load(told)
            arrivals = twice_and_late(told, random, FAST) if trouble else delivered(told)
            async with bridge_on(settings) as bridge, aiohttp.ClientSession() as session:
                delivery = Delivery(session, bridge, SystemClock())
                sending = asyncio.create_task(delivery.deliver_at(arrivals, asyncio.Event()))
                kills = await killed_until(sending, worker, random) if trouble else 0
                report = await sending
            assert report.refused == 0, report.refusals

            async def all_told() -> bool:
                final = [each for each in await outcomes(settings) if each["final"]]
                own = {each["outcomeId"] for each in final if each["leg"] is None}
                return len(own) == report.accepted and await nothing_left(
                    settings, settings.topics.retries
                )

            patience = 120 + 900 * FAST
            await eventually(all_told, patience, "each event has its outcome", every=1.0)
            assert worker.terminate() == 0, worker.output[-4000:]
    assert kills > 1 or not trouble
    judge(await outcomes(settings), told, simulator)


async def killed_until(sending: asyncio.Task[object], worker: WorkerProcess, random: Random) -> int:
    """Kill the worker every few seconds until all is sent; returns how often."""
    kills = 0
    while not sending.done():
        await asyncio.wait({sending}, timeout=random.uniform(1.0, 8.0))
        worker.kill()
        kills += 1
        worker.start()
        await worker.ready(120)
    return kills


def judge(published: list[Json], told: Sequence[Scenario], simulator: Simulator) -> None:
    """One decision by each id, one id for each leg, and each code once, in time, where it is due
    and nowhere else."""
    said: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for each in published:
        said[each["outcomeId"]].add((each["decision"], each["reason"], each["basis"]))
    assert {each: what for each, what in said.items() if len(what) > 1} == {}
    legs: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for each in published:
        if each["leg"] is not None and each["final"]:
            leg = each["interactionId"], each["leg"]["participantId"]
            legs[leg][each["outcomeId"]] = each["decision"]
    assert {each: ids for each, ids in legs.items() if len(ids) > 1} == {}
    for call in told:
        written = simulator.conversations.store.written(call.conversation_id)
        due = {each.participant_id: epoch_ms(each.not_before) or 0 for each in call.expected.set}
        taken = [each for each in written if each.status < 300]
        assert sorted(each.participant_id for each in taken) == sorted(due), call.id
        assert all(each.at_ms >= due[each.participant_id] for each in taken), call.id
        assert all(each.code == CODE for each in written), call.id
        for participant_id in due:
            assert set(legs[call.conversation_id, participant_id].values()) == {"patched"}, call.id
