"""``genesys-streams replay`` as an operator runs it, beside a worker that goes on."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.local.simulator.faults import Fault, FaultPlan, Rate
from streams.settings import Settings
from tests.support.clusters import RunningKafka
from tests.support.journey import CODE, Journey, journey
from tests.support.oracle import committed, read_all
from tests.support.workers import environment, eventually, free_port, workers

LONG, SHORT, CHATS = 10, 40, 5
# That a replay has printed when it is killed.
LINES = 5
# Before any event.
FROM = ("--from", "2020-01-01T00:00:00Z")


async def replay(
    settings: Settings, cwd: Path, *words: str, code: int = 0
) -> tuple[list[dict[str, Any]], str]:
    """What it prints, and what it says besides."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "streams", "replay", *FROM, "--json", *words],
        env=environment(settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def kill(settings: Settings, cwd: Path) -> int:
    """The same, killed with kill -9 after some lines; how many it had printed."""
    running = subprocess.Popen(
        [sys.executable, "-m", "streams", "replay", *FROM],
        env=environment(settings),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    for _ in range(LINES):
        assert "then: ineligible duration-below-threshold" in running.stdout.readline()
    running.kill()
    rest = running.stdout.read()  # communicate() would lose what came with the last line
    running.stdout.close()
    running.wait(60)
    return LINES + rest.count("then: ")


def call(name: str, seconds: int) -> dict[str, Any]:
    return {
        "id": name,
        "type": "voice",
        "state": "completed",
        "metadata": {
            "startTime": "2026-01-05T08:00:00Z",
            "endTime": f"2026-01-05T08:{seconds // 60:02}:{seconds % 60:02}Z",
        },
    }


def event(name: str, kind: str = "voice") -> dict[str, Any]:
    detail = {"interactionId": name, "sequenceId": 1, "interactionType": kind}
    return {"detail-type": UPDATE_DETAIL_TYPE, "detail": {**detail, "state": "completed"}}


async def states(url: str, names: Sequence[str]) -> Mapping[str, Any]:
    """The interactions' records in the worker's table."""
    async with aiohttp.ClientSession(url) as session:
        found = {}
        for name in names:
            async with session.get(f"/interactions/{name}") as answer:
                found[name] = await answer.json()
        return found


async def decisions(centre: Journey) -> dict[str, list[str]]:
    """Those of each interaction, in their order; what was published twice counts once."""
    published: dict[str, dict[str, str]] = {}
    for each in await read_all(centre.settings, centre.settings.topics.outcomes):
        outcome = json.loads(each.value or b"")
        decided = f"{outcome['decision']} {outcome['reason']}"
        published.setdefault(outcome["interactionId"], {})[outcome["outcomeId"]] = decided
    return {name: list(each.values()) for name, each in published.items()}


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.timeout(240)
async def test_a_threshold_was_too_high(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """Calls of a minute got no code; the threshold is mended, and a replay makes it good."""
    longer = [f"long-{number}" for number in range(LONG)]
    short = [f"short-{number}" for number in range(SHORT)]
    chats = [f"chat-{number}" for number in range(CHATS)]
    settings = make_settings(worker_port=free_port(), duration_threshold_ms=120_000)
    async with journey(settings, interactions=1, seed=1) as (centre, _):
        centre.simulator.store.register([call(name, 300) for name in longer])
        centre.simulator.store.register([call(name, 60) for name in short])

        async def live_offsets() -> Mapping[int, int]:
            if not isinstance(broker, RunningKafka):
                return {}  # the embedded broker does not give them
            found = await committed(mended, mended.topics.events)
            assert sum(found.values()) == LONG + SHORT + CHATS
            return found

        mended = centre.settings.model_copy(update={"duration_threshold_ms": 30_000})
        with workers({"before": centre.settings, "after": mended}, tmp_path) as started:
            worker = started["before"]
            worker.start()
            await worker.ready()
            await centre.send([event(name) for name in longer + short])
            await centre.send([event(name, "chat") for name in chats])
            await centre.all_published(60)
            assert worker.terminate() == 0, worker.output[-4000:]

            worker = started["after"]
            worker.start()
            await worker.ready()
            topics = mended.topics
            table = await states(worker.url, longer + short)
            offsets = await live_offsets()
            would, said = await replay(mended, tmp_path, "--dry-run")
            assert sorted(each["interactionId"] for each in would) == sorted(short)
            assert {each["then"]["reason"] for each in would} == {"duration-below-threshold"}
            assert {each["now"]["decision"] for each in would} == {"would-patch"}
            assert {each["now"]["dispositionCodeId"] for each in would} == {CODE}
            assert f"{LONG + SHORT + CHATS} events; {LONG + SHORT} calls were over" in said
            assert "redriven" not in said
            (one,), said = await replay(mended, tmp_path, "--dry-run", "--interaction", short[0])
            assert one["interactionId"] == short[0]
            assert "1 events; 1 calls were over" in said
            assert await states(worker.url, longer + short) == table
            assert await live_offsets() == offsets
            assert await read_all(mended, topics.retries) == []
            assert centre.simulator.store.patches_applied == LONG

            # With the rules of then nothing has changed, nor has it before or after the stretch.
            assert (await replay(centre.settings, tmp_path, "--dry-run"))[0] == []
            before = ("--to", "2020-01-02T00:00:00Z")
            assert (await replay(mended, tmp_path, "--dry-run", *before))[0] == []

            printed = await asyncio.to_thread(kill, mended, tmp_path)
            again, said = await replay(mended, tmp_path)
            assert f"{len(again):8}  redriven" in said
            assert printed <= SHORT
            assert len(again) <= SHORT - printed + 1
            await eventually(
                lambda: centre.simulator.store.patches_applied == LONG + SHORT,
                60,
                "all of them have their code",
            )

            async def published_again() -> bool:
                return sum(map(len, (await decisions(centre)).values())) >= LONG + 2 * SHORT + CHATS

            await eventually(published_again, 60, "all of them are published again")
            assert (await replay(mended, tmp_path))[0] == []
            assert worker.terminate() == 0, worker.output[-4000:]
        published = await decisions(centre)
        assert {tuple(published[name]) for name in short} == {
            ("ineligible duration-below-threshold", "patched eligible")
        }
        assert {tuple(published[name]) for name in longer} == {("patched eligible",)}
        applied = {centre.counters[name]["patchesApplied"] for name in longer + short}
        assert applied == {1}


@pytest.mark.kafka  # a long way to go: not for every `make test`
@pytest.mark.timeout(120)
async def test_an_api_that_fails_leaves_it_unknown(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(worker_port=free_port(), duration_threshold_ms=120_000)
    async with journey(settings, interactions=1, seed=1) as (centre, _):
        centre.simulator.store.register([call("short", 60)])
        with workers({"worker": centre.settings}, tmp_path) as started:
            started["worker"].start()
            await started["worker"].ready()
            await centre.send([event("short")])
            await centre.all_published(60)
            centre.simulator.faults.plan(FaultPlan((Rate(1.0, Fault(status=403)),)))
            found, said = await replay(centre.settings, tmp_path, "--dry-run", code=1)
            centre.simulator.faults.outage = Fault(status=401)
            _, logged = await replay(centre.settings, tmp_path, "--dry-run", code=1)
        assert found == []
        assert "not known: short: GET interaction short: 403" in said
        assert "nothing is known of 1; to ask again: --from 20" in said
        assert re.search(r"WARNING .*no access token error=.*401", logged), logged
