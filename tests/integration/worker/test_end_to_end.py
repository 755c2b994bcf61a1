"""One worker, as a process, on whatever broker the run has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from streams.settings import Settings
from tests.support.journey import journey
from tests.support.workers import eventually, free_port, workers


async def test_every_event_gets_the_outcome_that_the_model_gives(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(worker_port=free_port(), kafka_session_timeout_seconds=6.0)
    async with journey(settings, interactions=120, seed=1) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            await centre.send(events)
            await centre.all_published(60)
            decided = await centre.judge()
            assert len({decision for decision, _, _ in decided}) >= 4, decided
            centre.assert_no_call_wasted()
            await assert_endpoint_answers(worker.url, events)
            assert worker.terminate() == 0, worker.output


@pytest.mark.kafka  # a long way to go: not for every `make test`
async def test_an_interaction_is_forgotten_after_its_ttl(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """From the store, so that what comes again after that is new."""
    settings = make_settings(worker_port=free_port(), state_ttl_seconds=3.0)
    async with journey(settings, interactions=5, seed=4) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            once = [events[0]]
            await centre.send(once)
            await centre.all_published(30)

            async def kept(number: int) -> bool:
                return f"genesys_streams_state_interactions {number}.0" in await page(worker.url)

            # Published comes before kept: none is there also when none is there yet.
            await eventually(lambda: kept(1), 30, "the interaction is kept")
            await eventually(lambda: kept(0), 30, "the interaction is forgotten")
            await centre.send(once)
            await centre.all_published(30)
            decisions = [
                outcome["decision"]
                for each in (await centre.outcomes()).values()
                for outcome in each
            ]
            assert len(decisions) == 2
            assert "duplicate" not in decisions


async def page(url: str) -> str:
    async with aiohttp.ClientSession(url) as session, session.get("/metrics") as answer:
        return await answer.text()


async def assert_endpoint_answers(url: str, events: list[dict[str, object]]) -> None:
    """Health, metrics and the record of an interaction, as an operator asks for them."""
    detail = events[0]["detail"]
    assert isinstance(detail, dict)
    async with aiohttp.ClientSession(url) as session:
        async with session.get("/healthz") as answer:
            assert answer.status == 200
        async with session.get("/metrics") as answer:
            assert "genesys_streams_records_total" in await answer.text()
        async with session.get(f"/interactions/{detail['interactionId']}") as answer:
            assert (await answer.json())["interactionId"] == detail["interactionId"]
        async with session.get("/interactions/never-heard-of") as answer:
            assert answer.status == 404
        async with session.get("/interactions/..%2F..%2Foauth") as answer:
            assert answer.status == 400
