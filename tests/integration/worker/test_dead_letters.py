"""A scope is removed, the worker stops, the operator mends it and sends the dead letters back: the
walk-through of docs/dead-letters.md, with real processes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.local.simulator.faults import Fault, FaultPlan, Rate
from streams.settings import Settings
from streams.worker.dead_letter_limit import FEWEST_DEAD
from tests.support.journey import Journey, journey
from tests.support.oracle import read_all
from tests.support.workers import environment, eventually, free_port, workers

CALLS = 120
# In flight when the limit is passed: these may die too.
IN_FLIGHT = 10
# That a redrive has printed when it is killed.
LINES = 5
FORBIDDEN = FaultPlan((Rate(1.0, Fault(status=403)),))


def command(settings: Settings, cwd: Path, *words: str) -> str:
    """``genesys-streams`` with these words, as an operator runs it; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words],
        env=environment(settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def killed(settings: Settings, cwd: Path, *words: str) -> int:
    """The same, killed with kill -9 after some lines; how many it had printed."""
    running = subprocess.Popen(
        [sys.executable, "-m", "streams", *words],
        env=environment(settings),
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    lines = [running.stdout.readline() for _ in range(LINES)]
    running.kill()
    rest = running.stdout.read()  # communicate() would lose what came with the last line
    running.stdout.close()
    running.wait(60)
    assert all(line.startswith("redriven: ") for line in lines), lines
    return LINES + rest.count("redriven: ")


def truth(number: int) -> dict[str, Any]:
    return {
        "id": f"call-{number}",
        "type": "voice",
        "state": "completed",
        "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"},
    }


def event(number: int) -> dict[str, Any]:
    detail = {"interactionId": f"call-{number}", "sequenceId": 1, "interactionType": "voice"}
    return {"detail-type": UPDATE_DETAIL_TYPE, "detail": {**detail, "state": "completed"}}


async def readiness(url: str) -> Mapping[str, str]:
    async with aiohttp.ClientSession(url) as session, session.get("/readyz") as answer:
        causes: Mapping[str, str] = await answer.json()
        return causes


async def letters(centre: Journey) -> int:
    return len(await read_all(centre.settings, centre.settings.topics.dead_letters))


async def all_letters(centre: Journey, url: str) -> int:
    """How many there are once nothing is in flight: what was when the worker stopped dies too."""

    async def at_rest() -> bool:
        async with aiohttp.ClientSession(url) as session, session.get("/metrics") as answer:
            page = await answer.text()
        return re.search(r"^genesys_streams_in_flight 0\.0$", page, re.M) is not None

    await eventually(at_rest, 60, "nothing is in flight")
    return await letters(centre)


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.timeout(240)
async def test_a_scope_is_removed_and_given_back(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(worker_port=free_port(), max_in_flight=IN_FLIGHT)
    async with journey(settings, interactions=1, seed=1) as (centre, _):
        centre.simulator.store.register([truth(number) for number in range(CALLS)])
        with workers({"worker": centre.settings}, tmp_path) as started:
            worker = started["worker"]
            centre.simulator.faults.plan(FORBIDDEN)
            worker.start()
            await worker.ready()
            await centre.send([event(number) for number in range(CALLS)])

            async def stopped() -> bool:
                return "DEAD_LETTER_LIMIT" in (await readiness(worker.url)).get("reason", "")

            await eventually(stopped, 60, "the worker has stopped")
            died = await all_letters(centre, worker.url)
            assert FEWEST_DEAD <= died <= FEWEST_DEAD + 2 * IN_FLIGHT
            assert worker.exit_code is None

            listed = command(centre.settings, tmp_path, "dead-letters", "list")
            assert re.search(rf"^ *{died}  forbidden$", listed, re.M), listed
            one = json.loads(
                command(centre.settings, tmp_path, "dead-letters", "list", "--json").splitlines()[0]
            )
            at = (str(one["offset"]), "--partition", str(one["partition"]))
            shown = command(centre.settings, tmp_path, "dead-letters", "show", *at)
            assert "interaction:read" in shown
            assert one["interactionId"] in shown

            centre.simulator.faults.plan(FaultPlan())
            assert worker.terminate() == 0, worker.output[-4000:]
            worker.start()
            await worker.ready()
            await centre.all_published(60)
            assert centre.simulator.store.patches_applied == CALLS - died

            redrive = ("dead-letters", "redrive", "--reason", "forbidden")
            would = command(centre.settings, tmp_path, *redrive, "--dry-run")
            assert would.count("would redrive: ") == died
            assert await letters(centre) == died
            before = killed(centre.settings, tmp_path, *redrive, "--rate", "10")
            after = command(centre.settings, tmp_path, *redrive, "--rate", "1000")
            # What was sent in the moment of the death was acknowledged perhaps, and never printed.
            assert died - 1 <= before + after.count("redriven: ") <= died
            await eventually(
                lambda: centre.simulator.store.patches_applied == CALLS, 60, "all are patched"
            )
            assert command(centre.settings, tmp_path, *redrive) == ""
            listed = command(centre.settings, tmp_path, "dead-letters", "list")
            assert re.search(rf"^ *{died}  forbidden, 0 open$", listed, re.M), listed
            left = command(centre.settings, tmp_path, "dead-letters", "list", "--open", "--json")
            assert left == ""
            assert worker.terminate() == 0, worker.output[-4000:]
        published = await centre.outcomes()
        patched = [
            outcome["interactionId"]
            for outcomes in published.values()
            for outcome in {each["outcomeId"]: each for each in outcomes}.values()
            if outcome["decision"] == "patched"
        ]
        assert sorted(patched) == sorted(f"call-{number}" for number in range(CALLS))
        assert {
            counters["patchesApplied"]
            for id_, counters in centre.counters.items()
            if id_.startswith("call-")
        } == {1}
        assert await letters(centre) == died
