"""What a real bridge's and worker's records tell of a call, and what the API says of it now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.settings import Settings
from tests.support.explained import explained
from tests.support.journey import CODE, Journey, journey
from tests.support.workers import free_port, workers


async def coded(centre: Journey) -> str:
    """A call that got its code."""
    outcomes = [each for found in (await centre.outcomes()).values() for each in found]
    name: str = next(each["interactionId"] for each in outcomes if each["decision"] == "patched")
    return name


async def test_a_call_that_got_its_code_is_told_from_its_first_event_to_now(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(worker_port=free_port(), kafka_session_timeout_seconds=6.0)
    async with journey(settings, interactions=20, seed=1) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events)
            await centre.all_published(60)
            assert worker.terminate() == 0, worker.output
        name = await coded(centre)
        lines = await explained(centre.settings, tmp_path, name, "--ask")
    own = [each for each in events if each["detail"]["interactionId"] == name]
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for each in lines:
        by_kind.setdefault(each["kind"], []).append(each)

    assert len(by_kind["event"]) == len(own)
    assert len({each["outcome"]["source"]["offset"] for each in by_kind["decision"]}) == len(own)
    made = [each["call"] for each in by_kind["call"]]
    assert [(each["method"], each["status"]) for each in made] == [("GET", 200), ("PATCH", 200)]
    assert all(each["correlationId"] and each["tookMs"] > 0 for each in made)
    (conclusion,), (now,) = by_kind["conclusion"], by_kind["now"]
    assert conclusion["state"] == "coded"
    assert now["interaction"]["dispositionCodeId"] == CODE
    assert now["reason"] == "disposition-already-set"
