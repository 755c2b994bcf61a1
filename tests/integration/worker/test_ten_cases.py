"""Ten calls that went ten ways, and what an operator is told who asks why: with real processes,
from the bridge's port to the answer of one command."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.partitioner import partition_of
from streams.kafka.reader import partitions_of
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.route import Route
from streams.settings import Settings
from tests.support.bridges import bridge_on, post, until_ready
from tests.support.explained import explained
from tests.support.journey import Journey, journey
from tests.support.oracle import read_all
from tests.support.workers import eventually, free_port, workers

Json = dict[str, Any]


def truth(name: str, *, seconds: int = 300, **fields: Any) -> Json:
    """A call as the API has it."""
    end = f"2026-01-05T08:{seconds // 60:02}:{seconds % 60:02}Z"
    times = {"startTime": "2026-01-05T08:00:00Z", "endTime": end}
    return {"id": name, "type": "voice", "state": "completed", "metadata": times, **fields}


def event(name: str, sequence: object = 1, state: str = "completed") -> Json:
    """An event as EventBridge delivers it, without what the program does not read."""
    detail = {"interactionId": name, "sequenceId": sequence, "state": state}
    identity = f"{name} {sequence} {state}"
    return {
        "id": identity,
        "detail-type": UPDATE_DETAIL_TYPE,
        "detail": {**detail, "interactionType": "voice"},
    }


TRUTHS = (
    truth("too-short", seconds=12),
    truth("coded", dispositionCode={"id": "of-an-agent"}),
    truth("duplicate"),
    truth("late"),
    truth("conflict"),
    truth("outage"),
    truth("scope"),
)

FAULTS = FaultPlan(
    scripts=(
        Script((Fault(status=412),), "conflict", Route.PATCH),
        Script((Fault(status=503, times=3),), "outage", Route.GET),
        Script((Fault(status=403, times=9),), "scope", Route.GET),
    )
)

EVENTS = (
    event("too-short"),
    event("coded"),
    event("duplicate"),
    event("duplicate"),
    event("late", 7, "connected"),
    event("late", 6, "completed"),
    event("conflict"),
    event("purged"),
    event("outage"),
    event("scope"),
)

# What is said of each, in a line of its history or in the last one, and the state in one word.
SAID = {
    "too-short": ("it lasted 12 s; 30 s would have done", "no-code"),
    "coded": ("Genesys Cloud says that it has one already", "no-code"),
    "duplicate": ("a duplicate: sequence 1 had been decided before", "coded"),
    "late": ("completed: late, behind a higher sequence", "coded"),
    "conflict": ("somebody changed the interaction between our GET and our PATCH", "no-code"),
    "purged": ("Genesys Cloud does not know the interaction (404)", "no-code"),
    "outage": ("put off: Genesys Cloud failed", "coded"),
    "scope": ("a scope or permission was missing", "failed"),
    "refused": ("the bridge refused it, and kept its bytes", "refused"),
    "never-sent": ("it never arrived", "never-arrived"),
}


@pytest.fixture
async def ten(broker: object, make_settings: Callable[..., Settings], tmp_path: Path) -> Journey:
    """A centre in which all of it has happened."""
    settings = make_settings(
        worker_port=free_port(), breaker_open_seconds=0.2, retry_first_seconds=0.2
    )
    async with journey(settings, interactions=1, seed=1) as (centre, _):
        centre.simulator.store.register(list(TRUTHS))
        centre.simulator.faults.plan(FAULTS)
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            async with bridge_on(centre.settings) as bridge:
                await until_ready(bridge)
                for each in EVENTS:
                    assert (await post(bridge, json.dumps(each).encode()))[0] == 200
                assert (await post(bridge, json.dumps(event("refused", None)).encode()))[0] == 400

            async def all_told() -> bool:
                published = await read_all(centre.settings, centre.settings.topics.outcomes)
                final = [each for each in map(_outcome, published) if each["final"]]
                return len({each["outcomeId"] for each in final}) == len(EVENTS)

            await eventually(all_told, 60, "each event has its outcome", every=0.5)
            assert worker.terminate() == 0, worker.output
    return centre


def _outcome(record: Any) -> Json:
    found: Json = json.loads(record.value)
    return found


@pytest.mark.kafka  # a command for each of them: not for every `make test`
async def test_each_is_told_in_one_command(ten: Journey, tmp_path: Path) -> None:
    # Of an empty partition nobody can tell whether it was ever there: beside one that was sent.
    partitions = await partitions_of(ten.settings.kafka, ten.settings.topics.events)
    there = partition_of(b"coded", partitions)
    never = (f"never-sent-{number}" for number in count())
    ids = {name: name for name in SAID}
    ids["never-sent"] = next(x for x in never if partition_of(x.encode(), partitions) == there)
    told = {name: await explained(ten.settings, tmp_path, each) for name, each in ids.items()}
    found = {
        name: (any(SAID[name][0] in each["what"] for each in lines), lines[-1]["state"])
        for name, lines in told.items()
    }
    assert found == {name: (True, state) for name, (_, state) in SAID.items()}, told
