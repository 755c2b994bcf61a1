"""Real conversations, told faster than they went, and what a worker is set to for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from streams.local.conversations.population import delivered
from streams.local.conversations.scenario import Scenario, moved, scenario_of
from streams.settings import Settings
from tests.support.journey import CODE
from tests.support.oracle import read_all
from tests.support.workers import free_port

SCENARIOS = Path(__file__).parents[1] / "unit" / "core" / "conversations" / "scenarios"

# A minute of these calls is a second, and so are the settings that are lengths of time.
SCALE = 1 / 60

# How late an event comes at most where events are late, in milliseconds of the call.
LATE_MS = 120_000

Json = dict[str, Any]


def calls(begin_ms: int, paths: Iterable[Path], scale: float = SCALE) -> list[Scenario]:
    """The calls, all begun at that time."""
    told = [scenario_of({"id": path.stem} | json.loads(path.read_text())) for path in paths]
    return [moved(each, begin_ms, scale) for each in told]


def twice_and_late(
    told: Sequence[Scenario], random: Random, scale: float
) -> Iterator[tuple[int, Json]]:
    """Each event two times, either of them late by any time, in the order of arrival."""
    arrivals = [
        (at_ms + round(random.uniform(0, LATE_MS) * scale), number, event)
        for number, (at_ms, event) in enumerate(delivered(told))
        for _ in range(2)
    ]
    for at_ms, _, event in sorted(arrivals, key=lambda each: each[:2]):
        yield at_ms, event


async def outcomes(settings: Settings) -> list[Json]:
    """All that was published."""
    published = await read_all(settings, settings.topics.outcomes)
    return [json.loads(each.value or b"") for each in published]


def settings_for(url: str, scale: float = SCALE) -> dict[str, Any]:
    """A worker, and an API at ``url``, for calls that are told so fast."""
    return {
        "genesys_api": "conversations",
        "genesys_cloud_base_url": url,
        "genesys_cloud_client_id": "client",
        "genesys_cloud_client_secret": "secret",
        "disposition_code_id": CODE,
        "duration_threshold_ms": round(30_000 * scale),
        "wrap_up_margin_seconds": 10 * scale,
        "wrap_up_patience_seconds": 900 * scale,
        "lag_window_seconds": max(2.0, 60 * scale),
        "worker_port": free_port(),
    }
