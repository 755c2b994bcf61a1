"""Two workers in one group on Apache Kafka: all is published once, whatever becomes of a worker."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import pytest
from confluent_kafka.admin import AdminClient

from streams.kafka.connection import librdkafka_options
from streams.kafka.topics import look
from streams.settings import Settings
from tests.support.clusters import RunningKafka
from tests.support.journey import Journey, journey
from tests.support.workers import WorkerProcess, eventually, free_port, workers

SESSION_SECONDS = 6.0


def two(settings: Settings, tmp_path: Path) -> dict[str, Settings]:
    return {
        name: settings.model_copy(
            update={"data_dir": tmp_path / f"data-{name}", "worker_port": free_port()}
        )
        for name in ("first", "second")
    }


@pytest.fixture
def settings(kafka: RunningKafka, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_session_timeout_seconds=SESSION_SECONDS,
    )


async def both_ready(started: Mapping[str, WorkerProcess]) -> None:
    for worker in started.values():
        worker.start()
    await asyncio.gather(*(worker.ready() for worker in started.values()))


async def test_a_thousand_interactions(settings: Settings, tmp_path: Path) -> None:
    """Duplicates and late events included, as the model says, and not one API call too many."""
    async with journey(settings, interactions=1000, seed=1) as (centre, events):
        assert len(events) > 7000
        with workers(two(centre.settings, tmp_path), tmp_path) as started:
            await both_ready(started)
            await centre.send(events)
            await centre.all_published(120)
            await centre.all_committed(10)
            await centre.judge()
            centre.assert_no_call_wasted()
            await assert_either_answers_for(centre, started)
            assert [worker.terminate() for worker in started.values()] == [0, 0]


async def test_a_worker_that_is_stopped_hands_over_without_a_duplicate(
    settings: Settings, tmp_path: Path
) -> None:
    """In mid-stream, one after the other and back again: every outcome is published once."""
    async with journey(settings, interactions=300, seed=3) as (centre, events):
        with workers(two(centre.settings, tmp_path), tmp_path) as started:
            await both_ready(started)
            sending = asyncio.create_task(centre.send(events, seconds=20))
            for share, worker in ((20, started["first"]), (40, started["second"])):

                def busy(enough: int = share) -> bool:
                    return centre.simulator.store.patches_applied >= enough

                await eventually(busy, 30, "busy")
                # The API answers from this very loop: a drain waits for it.
                assert await asyncio.to_thread(worker.terminate) == 0
                worker.start()
                await worker.ready()
            await sending
            await centre.all_published(60)
            await centre.judge()
            published = await centre.outcomes()
            assert [place for place, answers in published.items() if len(answers) > 1] == []
            centre.assert_no_call_wasted()


async def test_kill_freeze_and_restart_in_mid_stream(settings: Settings, tmp_path: Path) -> None:
    """kill -9 of one, SIGSTOP of the other for longer than its session, both back: nothing lost,
    nothing done twice, and every generation goes on exactly where Kafka's offsets say."""
    async with journey(settings, interactions=800, seed=2) as (centre, events):
        with workers(two(centre.settings, tmp_path), tmp_path) as started:
            first, second = started["first"], started["second"]
            await both_ready(started)
            sending = asyncio.create_task(centre.send(events, seconds=35))
            await eventually(lambda: centre.simulator.store.patches_applied > 40, 30, "busy")
            first.kill()
            # The one that is left gets all partitions, then stands still for too long.
            await eventually(lambda: generations(second) >= 2, 30, "taken over")
            second.freeze()
            first.start()
            await asyncio.sleep(10)
            second.thaw()
            await sending
            await centre.all_published(90)
            await centre.all_committed(15)
            await centre.judge()
            for worker in started.values():
                await assert_no_holes(worker)
                assert worker.terminate() == 0, worker.output[-4000:]
                assert "no worker of this release has set" not in worker.output


async def test_tables_are_restored_on_an_empty_disk(settings: Settings, tmp_path: Path) -> None:
    """The first half by one worker, the second by another that has only the changelog."""
    async with journey(settings, interactions=150, seed=3) as (centre, events):
        half = len(events) // 2
        names = two(centre.settings, tmp_path)
        with workers(names, tmp_path) as started:
            started["first"].start()
            await started["first"].ready()
            await centre.send(events[:half])
            await centre.all_published(60)
            assert started["first"].terminate() == 0
            shutil.rmtree(names["first"].data_dir)
            started["second"].start()
            await started["second"].ready()
            await centre.send(events[half:])
            await centre.all_published(60)
            await centre.judge()
            centre.assert_no_call_wasted()


async def test_the_changelog_is_created_when_it_is_missing(
    settings: Settings, tmp_path: Path
) -> None:
    """By Faust, in the worker, as it is declared."""
    async with journey(settings, interactions=20, seed=5) as (centre, events):
        changelog = f"{settings.app_id}-interactions-changelog"
        admin = AdminClient(librdkafka_options(settings.kafka))
        for deleted in admin.delete_topics([changelog]).values():
            deleted.result(20)
        await eventually(
            lambda: changelog not in admin.list_topics(timeout=10).topics, 20, "it is gone"
        )
        with workers({"alone": two(centre.settings, tmp_path)["first"]}, tmp_path) as started:
            started["alone"].start()
            await started["alone"].ready()
            await centre.send(events)
            await centre.all_published(60)
            await centre.judge()
        assert look(settings.kafka).differences() == []


def generations(worker: WorkerProcess) -> int:
    return len(re.findall("partitions taken over", worker.output))


async def assert_no_holes(worker: WorkerProcess) -> None:
    """No record came that was not the next one after the committed offset."""
    async with aiohttp.ClientSession() as session, session.get(f"{worker.url}/metrics") as answer:
        holes = re.findall(r"^genesys_streams_offset_holes_total.*$", await answer.text(), re.M)
    assert not holes


async def assert_either_answers_for(centre: Journey, started: Mapping[str, WorkerProcess]) -> None:
    """GET /interactions/ID answers wherever in the group the record lives."""
    some = list(centre.truths)[:20]
    async with aiohttp.ClientSession() as session:
        for worker in started.values():
            for interaction_id in some:
                async with session.get(f"{worker.url}/interactions/{interaction_id}") as answer:
                    assert answer.status == 200, await answer.text()
                    assert (await answer.json())["interactionId"] == interaction_id
