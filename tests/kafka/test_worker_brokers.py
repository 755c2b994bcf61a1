"""What happens to Kafka under a running worker, and what the worker says and does (promise 13)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from streams.kafka.topics import apply_topics
from streams.settings import Settings
from streams.worker.state.table import changelog
from tests.support.clusters import KafkaCluster, kafka_cluster
from tests.support.link import Link
from tests.support.workers import WorkerProcess, eventually, free_port, worker_settings, workers

# A broker that is killed and started again, and a worker that takes a minute to give up.
pytestmark = pytest.mark.timeout(400)

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
    apply_topics(made.kafka)
    return made


async def unfit(worker: WorkerProcess) -> str:
    """The reason that it gives for not being ready."""
    async with aiohttp.ClientSession() as session, session.get(f"{worker.url}/readyz") as answer:
        body = await answer.json()
        return "" if answer.status == 200 else str(body["reason"])


async def says(worker: WorkerProcess, part: str) -> None:
    async def not_ready() -> bool:
        return part in await unfit(worker)

    await eventually(not_ready, UNFIT_SECONDS, f"not ready, for: {part}", every=0.5)


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
        lines = worker.output.splitlines()
        (reason,) = [line for line in lines if line.startswith("genesys-streams: ")]
        assert re.search("no (Kafka broker has|heartbeat was) answered .*for 5[0-9] s", reason)


async def test_a_broker_that_is_restarted_ends_nothing(
    own: KafkaCluster, settings: Settings, tmp_path: Path
) -> None:
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        own.kill(1)
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
        reason = worker.output.splitlines()[-1]
        assert re.search(
            rf"{names.events} has 16 partitions and \S+ has 12: .*topics apply", reason
        )
        worker.start()
        assert await asyncio.to_thread(worker.ended, CHANGED_SECONDS) == 1
        assert worker.output.splitlines()[-1] == reason


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


def moved(cluster: KafkaCluster) -> int:
    """Kill the one broker and bring it back, with its data, at another port."""
    port, home = free_port(), cluster.home
    described = json.loads((home / "cluster.json").read_text())
    old = described["ports"]["1"]
    cluster.kill(1)
    properties = home / "node-1" / "server.properties"
    properties.write_text(re.sub(rf":{old}\b", f":{port}", properties.read_text()))
    described["ports"]["1"] = port
    (home / "cluster.json").write_text(json.dumps(described))
    cluster.start(1)
    cluster.bootstrap_servers = f"127.0.0.1:{port}"
    return port


async def test_all_brokers_come_back_at_other_addresses(
    own: KafkaCluster, settings: Settings, tmp_path: Path
) -> None:
    """Consumer and producer find them through the bootstrap address, which stays."""
    link = Link(("127.0.0.1", 0), ("127.0.0.1", int(own.bootstrap_servers.rpartition(":")[2])))
    async with link.open() as (host, port):
        through = settings.model_copy(update={"kafka_bootstrap_servers": f"{host}:{port}"})
        with workers({"alone": through}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            link.leads_to = ("127.0.0.1", await asyncio.to_thread(moved, own))
            await send_chats(own.bootstrap_servers, settings, 20)

            async def all_decided() -> bool:
                outcomes = settings.topics.outcomes
                try:
                    # In a thread: the link lives in this loop.
                    return await asyncio.to_thread(ends_of, own.bootstrap_servers, outcomes) == 20
                except KafkaException:  # a leader that has just come back
                    return False

            await eventually(
                all_decided,
                END_SECONDS,
                "all 20 are decided",
                every=1.0,
            )
            await worker.ready()
            assert worker.starts == 1


async def send_chats(servers: str, settings: Settings, number: int) -> None:
    """Events that are decided without asking anybody."""
    detail = {"sequenceId": 1, "interactionType": "chat", "state": "COMPLETED"}
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for each in range(number):
            event = {
                "id": f"e-{each}",
                "detail-type": "purecloud:v2:interaction:update",
                "time": "2025-12-12T15:15:07Z",
                "detail": {"interactionId": f"i-{each}", **detail},
            }
            await producer.send_and_wait(
                settings.topics.events, json.dumps(event).encode(), key=f"i-{each}".encode()
            )


def ends_of(servers: str, topic: str) -> int:
    """How many records were ever written to the topic."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "none"})
    try:
        numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        return sum(
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]
            for number in numbers
        )
    finally:
        consumer.close()


async def test_the_leader_of_one_partition_is_gone(
    kafka3: KafkaCluster, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """The others work on, heartbeats are answered, and no record waits."""
    settings = worker_settings(make_settings, kafka3)
    events = settings.topics.events
    admin = AdminClient({"bootstrap.servers": kafka3.bootstrap_servers})
    # Brokers 2 and 3 lead one partition each. One that is not the group's coordinator as well is
    # killed: else another reason comes first.
    leaders = {3: 2, 4: 3}
    replicas = [[leaders.get(number, 1)] for number in range(12)]
    admin.create_topics([NewTopic(events, 12, replica_assignment=replicas)])[events].result()
    apply_topics(settings.kafka)
    with workers({"alone": settings}, tmp_path) as started:
        worker = started["alone"]
        worker.start()
        await worker.ready()
        group = admin.describe_consumer_groups([settings.app_id])[settings.app_id].result()
        lost = next(number for number in leaders if leaders[number] != group.coordinator.id)
        kafka3.kill(leaders[lost])
        why = f"{events}/{lost} could not be read for"
        await says(worker, why)
        assert await asyncio.to_thread(worker.ended, END_SECONDS + 15) == 1
        assert why in worker.output.splitlines()[-1]
