"""A leg that a dry run has decided is found by a replay, dies for want of a permission, and is sent
back once that is there: with real processes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from streams.clock import SystemClock
from streams.kafka.topics import apply_topics
from streams.local.conversations.population import delivered
from streams.local.generator.delivery import Delivery
from streams.local.simulator.api import Simulator
from streams.local.simulator.conversations import WRITE_PERMISSIONS, Org
from streams.local.simulator.server import serving
from streams.settings import Settings
from tests.support.bridges import bridge_on
from tests.support.commands import printed
from tests.support.journey import UNLIMITED
from tests.support.told_calls import SCENARIOS, Json, calls, outcomes, settings_for
from tests.support.workers import WorkerProcess, eventually, workers

CALL = "inbound-acw-timeout"


async def decisions(settings: Settings) -> list[tuple[str, str]]:
    """Of the call's one leg, in order."""
    final = [each for each in await outcomes(settings) if each["final"] and each["leg"]]
    return [(each["decision"], each["reason"]) for each in final]


async def decided(settings: Settings, number: int) -> None:
    async def so_often() -> bool:
        return len(await decisions(settings)) == number

    await eventually(so_often, 60, f"{number} decisions", every=0.5)


async def test_a_leg_is_replayed_dies_and_is_redriven(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    simulator = Simulator([], seed=1, requests_per_minute=UNLIMITED)
    async with serving(simulator) as url:
        live = make_settings(**settings_for(url))
        dry = live.model_copy(update={"dry_run": True})
        apply_topics(live.kafka)
        told = calls(round(time.time() * 1000), [SCENARIOS / f"{CALL}.json"])
        simulator.conversations.store.load(told)
        call_id, participant_id = told[0].conversation_id, told[0].expected.set[0].participant_id

        with workers({"dry": dry, "live": live}, tmp_path) as started:
            started["dry"].start()
            await started["dry"].ready()
            async with bridge_on(live) as bridge, aiohttp.ClientSession() as session:
                delivery = Delivery(session, bridge, SystemClock())
                report = await delivery.deliver_at(delivered(told), asyncio.Event())
            assert report.refused == 0, report.refusals
            await decided(live, 1)
            assert started["dry"].terminate() == 0, started["dry"].output

            simulator.conversations.org = Org(missing_permissions=frozenset(WRITE_PERMISSIONS))
            worker = started["live"]
            worker.start()
            await worker.ready()
            since = ("--from", "2020-01-01T00:00:00Z")
            [found] = (await printed(live, tmp_path, "replay", *since, "--json")).splitlines()
            assert json.loads(found)["leg"]["participantId"] == participant_id
            await decided(live, 2)

            [letter] = (
                await printed(live, tmp_path, "dead-letters", "list", "--json")
            ).splitlines()
            assert json.loads(letter)["interactionId"] == call_id
            simulator.conversations.org = Org()
            await printed(live, tmp_path, "dead-letters", "redrive", "--reason", "forbidden")
            await decided(live, 3)
            looked_up = await look_up(worker, call_id)
            assert worker.terminate() == 0, worker.output

        assert await decisions(live) == [
            ("would-patch", "eligible"),
            ("failed", "forbidden"),
            ("patched", "eligible"),
        ]
        ids = {each["outcomeId"] for each in await outcomes(live) if each["leg"] and each["final"]}
        assert len(ids) == 3, "each decision anew has an id of its own"
        assert looked_up["decided"] == [participant_id]
        assert "open" not in looked_up
        written = simulator.conversations.store.written(call_id)
        assert [each.status for each in written] == [202]


async def look_up(worker: WorkerProcess, call_id: str) -> Json:
    """What the worker keeps of the call."""
    async with (
        aiohttp.ClientSession(worker.url) as session,
        session.get(f"/interactions/{call_id}") as answer,
    ):
        assert answer.status == 200
        known: Json = await answer.json()
        return known
