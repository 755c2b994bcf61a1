"""Every row of the design's "When the API says no" at once, among calls that are well: a worker as
a process, its outcomes, its dead letters and the API's own counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.route import Route
from streams.settings import Settings
from tests.support.journey import journey
from tests.support.oracle import read_all
from tests.support.workers import free_port, workers

# Calls of each row. Of those that are well there are by far more, or it would be an outage and the
# circuit breaker would have a say.
CALLS = 5
MOST_DEFERRALS = 2
FOR_EVER = 1_000


@dataclass(frozen=True)
class Became:
    """Of one call: its final outcomes, the reasons of its deferrals and of its dead letters, and
    the PATCHes that took effect."""

    finals: list[tuple[str, str, bool]]
    deferred: list[str]
    dead: list[str]
    applied: int


@dataclass(frozen=True)
class Row:
    """What the API does to a call, and what becomes of it. ``calls``: how many there are."""

    name: str
    decision: str
    reason: str
    route: Route = Route.GET
    fault: Fault | None = None
    applied: int = 0
    recovered: bool = False
    deferred: str | None = None
    calls: int = CALLS

    @property
    def becomes(self) -> Became:
        return Became(
            finals=[(self.decision, self.reason, self.recovered)],
            deferred=[self.deferred] * MOST_DEFERRALS if self.deferred else [],
            dead=[self.reason] if self.decision == "failed" else [],
            applied=self.applied,
        )


def patched(name: str, route: Route, fault: Fault | None, **more: Any) -> Row:
    return Row(name, "patched", "eligible", route, fault, applied=1, **more)


ROWS = [
    patched("well", Route.GET, None, calls=60 * CALLS),
    patched("401-once", Route.GET, Fault(status=401)),
    Row(
        "401-always",
        "failed",
        "retries-exhausted",
        fault=Fault(status=401, times=FOR_EVER),
        deferred="unauthorized",
    ),
    Row("403", "failed", "forbidden", fault=Fault(status=403)),
    Row("404", "not-found", "interaction-not-found", fault=Fault(status=404)),
    Row("404-patch", "not-found", "interaction-not-found", Route.PATCH, Fault(status=404)),
    Row("410-patch", "not-found", "interaction-not-found", Route.PATCH, Fault(status=410)),
    Row("409", "conflict", "concurrent-modification", Route.PATCH, Fault(status=409)),
    Row("412", "conflict", "concurrent-modification", Route.PATCH, Fault(status=412)),
    Row("400", "failed", "bad-request", Route.PATCH, Fault(status=400)),
    # Few, for each keeps everybody quiet for a second.
    patched("429", Route.GET, Fault(status=429, retry_after=1), calls=2),
    patched("429-patch", Route.PATCH, Fault(status=429, retry_after=1), calls=2),
    patched("500-twice", Route.GET, Fault(status=500, times=2)),
    Row(
        "500-always",
        "failed",
        "retries-exhausted",
        fault=Fault(status=500, times=FOR_EVER),
        deferred="server-error",
    ),
    patched("500-patch", Route.PATCH, Fault(status=500)),
    patched("500-applied", Route.PATCH, Fault(status=500, after_apply=True), recovered=True),
    patched("timeout", Route.GET, Fault(timeout=True)),
    patched("timeout-patch", Route.PATCH, Fault(timeout=True)),
    patched("timeout-applied", Route.PATCH, Fault(timeout=True, after_apply=True), recovered=True),
    patched("dropped", Route.GET, Fault(drop="before-apply")),
    patched("dropped-applied", Route.PATCH, Fault(drop="after-apply"), recovered=True),
]


def names(row: Row) -> list[str]:
    return [f"{row.name}.{number}" for number in range(row.calls)]


def truth(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "type": "voice",
        "state": "completed",
        "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"},
    }


def event(name: str) -> dict[str, Any]:
    detail = {"interactionId": name, "sequenceId": 1, "interactionType": "voice"}
    return {"detail-type": UPDATE_DETAIL_TYPE, "detail": {**detail, "state": "completed"}}


def shuffled() -> list[str]:
    """All calls, the rows well mixed."""
    placed = [(number / row.calls, name) for row in ROWS for number, name in enumerate(names(row))]
    return [name for _, name in sorted(placed)]


@pytest.mark.timeout(240)
async def test_every_row_under_load(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        worker_port=free_port(),
        api_timeout_seconds=1,
        retry_max_attempts=MOST_DEFERRALS,
        retry_first_seconds=1,
        # In the end only those are left that fail for good, and then that is an outage.
        breaker_open_seconds=1,
    )
    scripts = tuple(
        Script((row.fault,), name, row.route)
        for row in ROWS
        if row.fault is not None
        for name in names(row)
    )
    calls = shuffled()
    async with journey(settings, interactions=1, seed=1) as (centre, _):
        topics = centre.settings.topics
        centre.simulator.store.register([truth(name) for name in calls])
        centre.simulator.faults.plan(FaultPlan(scripts=scripts))
        with workers({"worker": centre.settings}, tmp_path) as started:
            started["worker"].start()
            await started["worker"].ready()
            await centre.send([event(name) for name in calls])
            await centre.all_published(120)
            assert started["worker"].terminate() == 0, started["worker"].output[-4000:]
        outcomes = [
            json.loads(each.value or b"") for each in await read_all(settings, topics.outcomes)
        ]
        dead = [
            (each.key, dict(each.headers)["dlq.reason"].decode())
            for each in await read_all(settings, topics.dead_letters)
        ]
        wrong = []
        for row in ROWS:
            for name in names(row):
                mine = [each for each in outcomes if each["interactionId"] == name]
                # What was published again after a rebalance has the same id.
                published = list({each["outcomeId"]: each for each in mine}.values())
                got = Became(
                    finals=[
                        (each["decision"], each["reason"], each["recovered"])
                        for each in published
                        if each["final"]
                    ],
                    deferred=[each["reason"] for each in published if not each["final"]],
                    dead=[reason for key, reason in dead if key == name.encode()],
                    applied=centre.counters[name]["patchesApplied"],
                )
                if got != row.becomes:
                    wrong.append(f"{name}: {got}, wanted {row.becomes}")
        assert not wrong, f"{len(wrong)} calls:\n" + "\n".join(wrong[:20])
