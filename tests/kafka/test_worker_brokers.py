"""What happens to Kafka under a running worker, and what the worker says and does (promise 13)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from streams.kafka.topics import apply_topics
from streams.settings import Settings
from streams.worker.table import changelog
from tests.clusters import KafkaCluster, kafka_cluster
from tests.kafka.test_worker_ends import worker_settings
from tests.workers import WorkerProcess, eventually, workers

# What the operator is promised.
UNFIT_SECONDS = 30.0
END_SECONDS = 60.0
CHANGED_SECONDS = 30.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """One node of these tests' own, for they do away with it."""
    with kafka_cluster(tmp_path_factory.mktemp("brokers"), nodes=1) as made:
        yield made


@pytest.fixture
def own(cluster: KafkaCluster) -> Iterator[KafkaCluster]:
    yield cluster
    cluster.heal()


@pytest.fixture
def settings(own: KafkaCluster, make_settings: Callable[..., Settings]) -> Settings:
    made = worker_settings(make_settings, own, kafka_session_timeout_seconds=10.0)
    apply_topics(made)
    return made


async def unfit(worker: WorkerProcess) -> str:
    """The reason that it gives for not being ready."""
    async with aiohttp.ClientSession() as session, session.get(f"{worker.url}/readyz") as answer:
        body = await answer.json()
        return "" if answer.status == 200 else str(body["reason"])


async def says(worker: WorkerProcess, part: str) -> None:
    async def told() -> bool:
        return part in await unfit(worker)

    await eventually(told, UNFIT_SECONDS, f"not ready, for: {part}", every=0.5)


async def test_kafka_is_gone_for_good(
    own: KafkaCluster, settings: Settings, tmp_path: Path
) -> None:
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        own.kill(1)
        killed_at = time.monotonic()
        await says(worker, "no heartbeat was answered for")
        assert await asyncio.to_thread(worker.ended, END_SECONDS) == 1
        assert time.monotonic() - killed_at < END_SECONDS
        assert "has answered this worker's consumer for" in worker.output.splitlines()[-1]


async def test_a_broker_that_is_restarted_ends_nothing(
    own: KafkaCluster, settings: Settings, tmp_path: Path
) -> None:
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        own.kill(1)
        await says(worker, "no heartbeat was answered for")
        await asyncio.to_thread(own.start, 1)
        await worker.ready()
        assert worker.terminate() == 0


async def test_sigterm_while_kafka_is_away(
    own: KafkaCluster, settings: Settings, tmp_path: Path
) -> None:
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        own.kill(1)
        assert await asyncio.to_thread(worker.terminate) == 0


async def test_sigterm_while_kafka_does_not_answer(
    own: KafkaCluster, settings: Settings, tmp_path: Path
) -> None:
    """It holds its connections, which is worse than gone."""
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        own.freeze(1)
        try:
            assert await asyncio.to_thread(worker.terminate) == 0
        finally:
            own.thaw(1)


def grow(settings: Settings, *topics: str) -> None:
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
    for answer in admin.create_partitions([NewPartitions(name, 16) for name in topics]).values():
        answer.result()


async def test_events_alone_is_grown(settings: Settings, tmp_path: Path) -> None:
    names = settings.topics
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        grow(settings, names.events)
        assert await asyncio.to_thread(worker.ended, CHANGED_SECONDS) == 1
        told = worker.output.splitlines()[-1]
        assert f"{names.events} has 16 partitions and {names.retries} has 12" in told
        worker.start()
        assert await asyncio.to_thread(worker.ended, CHANGED_SECONDS) == 1
        assert worker.output.splitlines()[-1] == told


async def test_all_that_have_to_be_alike_are_grown(settings: Settings, tmp_path: Path) -> None:
    names = settings.topics
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        grow(settings, names.events, names.retries, changelog(settings.app_id))
        assert await asyncio.to_thread(worker.ended, CHANGED_SECONDS) == 1
        assert "start again to work on all of them" in worker.output.splitlines()[-1]
        worker.start()
        await worker.ready()


@pytest.mark.parametrize("which", ["events", "retries", "outcomes", "dead_letters", "changelog"])
async def test_a_topic_is_deleted(settings: Settings, tmp_path: Path, which: str) -> None:
    name = changelog(settings.app_id) if which == "changelog" else getattr(settings.topics, which)
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap_servers})
        admin.delete_topics([name])[name].result()
        assert await asyncio.to_thread(worker.ended, CHANGED_SECONDS) == 1
        assert f"no topic {name} at" in worker.output.splitlines()[-1]
