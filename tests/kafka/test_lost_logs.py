"""Offsets that mean nothing any more: what the broker has is decided, what is gone is logged."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.kafka.admin import TopicsAdmin
from streams.kafka.connection import aiokafka_options, librdkafka_options
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.clusters import KafkaCluster, RunningKafka, kafka_cluster
from tests.support.journey import Journey, journey
from tests.support.oracle import committed
from tests.support.workers import WorkerProcess, eventually, free_port, workers

PAST_THE_END = "the committed offset is past the end"
ANOTHER_TOPIC = "belongs to another topic"
GONE = "records are gone that nobody has decided"
NOT_OURS = "committed offsets that no worker of this release has set"

END_SECONDS = 30.0


@pytest.fixture
def settings(kafka: RunningKafka, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_session_timeout_seconds=6.0,
        worker_port=free_port(),
    )


class Scene:
    """One worker, and two helpings of events that have no interaction in common."""

    def __init__(self, centre: Journey, events: list[dict[str, Any]], worker: WorkerProcess):
        ids = sorted({interaction(event) for event in events})
        few = set(ids[: len(ids) // 4])
        self.centre = centre
        self.settings = centre.settings
        self.before = [event for event in events if interaction(event) in few]
        self.after = [event for event in events if interaction(event) not in few]
        self.worker = worker

    async def begin(self) -> None:
        self.worker.start()
        await self.worker.ready()

    async def live_through(self, events: list[dict[str, Any]]) -> None:
        """A worker that decides these and is stopped, everything committed."""
        await self.begin()
        await self.centre.send(events)
        await self.decided(events)
        assert await asyncio.to_thread(self.worker.terminate) == 0

    async def decided(self, events: list[dict[str, Any]]) -> None:
        wanted = {event["id"] for event in events}

        async def decided() -> bool:
            outcomes = await self.centre.outcomes()
            return wanted <= {each["eventId"] for some in outcomes.values() for each in some}

        await eventually(decided, 60, "every event that the broker has is decided", every=1.0)

    def lines(self, text: str) -> list[str]:
        return [line for line in self.worker.output.splitlines() if text in line]

    async def metric(self, name: str) -> float:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.worker.url}/metrics") as answer,
        ):
            found = re.findall(rf"^{name}{{.*}} (\S+)$", await answer.text(), re.MULTILINE)
        return sum(map(float, found))


def interaction(event: dict[str, Any]) -> str:
    return str(event["detail"]["interactionId"])


@asynccontextmanager
async def scene(settings: Settings, logs: Path) -> AsyncIterator[Scene]:
    async with journey(settings, interactions=24, seed=7) as (centre, events):
        with workers({"alone": centre.settings}, logs) as started:
            yield Scene(centre, events, started["alone"])


def set_offsets(settings: Settings, topic: str, offsets: dict[int, int]) -> None:
    """What kafka-consumer-groups --reset-offsets does."""
    admin = AdminClient(librdkafka_options(settings.kafka))
    places = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
    for done in admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(settings.app_id, places)]
    ).values():
        done.result(20)


def delete_records(settings: Settings, topic: str) -> None:
    """What retention does, to all that a topic has."""
    admin = AdminClient(librdkafka_options(settings.kafka))
    partitions = admin.list_topics(topic, 10).topics[topic].partitions
    places = [TopicPartition(topic, number, -1) for number in partitions]
    for deleted in admin.delete_records(places).values():
        deleted.result(20)


async def make_anew(settings: Settings, topics: Collection[str]) -> None:
    admin = AdminClient(librdkafka_options(settings.kafka))
    for deleted in admin.delete_topics(list(topics)).values():
        deleted.result(20)
    await eventually(
        lambda: not set(topics) & admin.list_topics(timeout=10).topics.keys(), 20, "gone"
    )
    apply_topics(settings.kafka)


async def lives(settings: Settings, topic: str) -> dict[int, str]:
    """What the group has committed beside the offset of each partition."""
    admin = AIOKafkaAdminClient(**aiokafka_options(settings.kafka))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(settings.app_id)
    finally:
        await admin.close()
    return {tp.partition: at.metadata for tp, at in offsets.items() if tp.topic == topic}


async def test_offsets_past_the_end(settings: Settings, tmp_path: Path) -> None:
    """An unclean election, a restored topic, a wrong reset: noticed once, and nothing is lost."""
    async with scene(settings, tmp_path) as at:
        events = at.settings.topics.events
        await at.live_through(at.before)
        ends = await committed(at.settings, events)
        set_offsets(at.settings, events, dict.fromkeys(ends, 5_000))
        await at.centre.send(at.after)

        await at.begin()
        await at.decided(at.after)

        assert len(at.lines(PAST_THE_END)) == len(ends)
        assert await at.metric("genesys_streams_log_cuts_total") == len(ends)
        assert at.worker.terminate() == 0
        signed = await lives(at.settings, events)
        assert sum("@" in signed[number] for number in ends) == len(ends)

        await at.begin()
        assert at.worker.terminate() == 0
        assert len(at.lines(PAST_THE_END)) == len(ends), "it was put right the first time"


async def test_offsets_past_the_end_of_an_empty_topic(settings: Settings, tmp_path: Path) -> None:
    """The events come when the worker runs already."""
    async with scene(settings, tmp_path) as at:
        events = at.settings.topics.events
        set_offsets(at.settings, events, dict.fromkeys(range(12), 50))

        await at.begin()
        await at.centre.send(at.after)

        await at.decided(at.after)
        assert len(at.lines(PAST_THE_END)) == 12


async def test_a_worker_signs_its_offsets_with_the_topics_id(
    settings: Settings, tmp_path: Path
) -> None:
    async with scene(settings, tmp_path) as at:
        events = at.settings.topics.events
        await at.live_through(at.before)

        (topic_id,) = TopicsAdmin(at.settings.kafka).identity([events]).topics.values()
        assert set((await lives(at.settings, events)).values()) == {topic_id}
        assert at.lines(NOT_OURS) == []


async def test_a_topic_made_anew_with_the_offsets_of_the_old_one(
    settings: Settings, tmp_path: Path
) -> None:
    """Restored from elsewhere, group and all: the offsets fit, and mean other records."""
    async with scene(settings, tmp_path) as at:
        events = at.settings.topics.events
        await at.live_through(at.before)
        await make_anew(at.settings, [events])
        await at.centre.send(at.after)
        await sign(at.settings, events, 1, "ZZEAgmnJRc6SA5nwYXQ4cA")

        await at.begin()
        await at.decided(at.after)

        assert at.lines(ANOTHER_TOPIC)
        assert await at.metric("genesys_streams_log_cuts_total") > 0


async def sign(settings: Settings, topic: str, offset: int, life: str) -> None:
    """Commit for all partitions, as a worker of that life would have."""
    consumer = aiokafka.AIOKafkaConsumer(
        **aiokafka_options(settings.kafka), group_id=settings.app_id, enable_auto_commit=False
    )
    await consumer.start()
    try:
        places = [aiokafka.TopicPartition(topic, number) for number in range(12)]
        consumer.assign(places)
        stamped = aiokafka.structs.OffsetAndMetadata(offset, life)
        await consumer.commit(dict.fromkeys(places, stamped))
    finally:
        await consumer.stop()


async def test_retention_was_faster_than_a_stopped_worker(
    settings: Settings, tmp_path: Path
) -> None:
    async with scene(settings, tmp_path) as at:
        events = at.settings.topics.events
        await at.live_through(at.before)
        # Where nothing was ever committed nobody knows what was there to be decided.
        read = await committed(at.settings, events)
        before = set(at.centre.sent)
        await at.centre.send(at.after[:20])
        lost = [place for place in at.centre.sent.keys() - before if place[0] in read]
        delete_records(at.settings, events)

        await at.begin()
        await at.centre.send(at.after[20:])
        await at.decided(at.after[20:])

        assert at.lines(GONE)
        assert await at.metric("genesys_streams_deleted_undecided_offsets_total") == len(lost)


async def test_retention_was_faster_than_a_running_worker(
    settings: Settings, tmp_path: Path
) -> None:
    async with scene(settings, tmp_path) as at:
        events = at.settings.topics.events
        await at.begin()
        await at.centre.send(at.before)
        await at.decided(at.before)
        await at.centre.all_committed(15)
        at.worker.freeze()
        # The first one goes out with the fetch that is under way; it can not ask for the others.
        await at.centre.send(at.after[:1])
        await at.centre.send(at.after[1:20])
        delete_records(at.settings, events)
        await at.centre.send(at.after[20:])
        at.worker.thaw()

        await at.decided(at.after[20:])

        # Noticed with the next record of each partition, so of those that got one.
        gone = await at.metric("genesys_streams_deleted_undecided_offsets_total")
        assert 0 < gone <= 20
        assert at.lines(GONE)


async def test_offsets_set_forward_by_hand_are_logged(settings: Settings, tmp_path: Path) -> None:
    async with scene(settings, tmp_path) as at:
        events = at.settings.topics.events
        await at.live_through(at.before)
        ends = await committed(at.settings, events)
        await at.centre.send(at.after)
        ends = {number: end + 1 for number, end in ends.items()}
        set_offsets(at.settings, events, ends)

        await at.begin()

        assert len(at.lines(NOT_OURS)) == 1
        assert at.worker.terminate() == 0
        await at.begin()
        assert len(at.lines(NOT_OURS)) == 1, "signed by then"


async def test_a_log_that_loses_its_tail_under_a_worker(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """An election of a replica that had nothing: the worker ends or goes on, but decides all that
    the broker has, also when the log has grown past the old offsets by the next start."""
    home = tmp_path / "kafka"
    with kafka_cluster(home, nodes=1) as cluster:
        settings = make_settings(
            kafka_bootstrap_servers=cluster.bootstrap_servers,
            kafka_session_timeout_seconds=30.0,
            worker_port=free_port(),
        )
        async with scene(settings, tmp_path) as at:
            await at.begin()
            await at.centre.send(at.before)
            await at.decided(at.before)
            await at.centre.all_committed(15)
            await lose(cluster, home, at.settings.topics.events)

            await eventually(lambda: cut_is_logged(at), 60, "it has noticed")
            await at.centre.send(at.after)
            if at.worker.exit_code is not None or at.lines("the log was cut"):
                assert await asyncio.to_thread(at.worker.ended, END_SECONDS) == 1
                last = at.worker.output.splitlines()[-1]
                assert "the next start goes on from what the broker has" in last
                await at.begin()
            await at.decided(at.after)
            assert at.worker.terminate() == 0


def cut_is_logged(at: Scene) -> bool:
    return bool(at.lines("the log was cut") or at.lines(PAST_THE_END))


async def lose(cluster: KafkaCluster, home: Path, topic: str) -> None:
    """All records of a topic, while its broker is down."""
    cluster.kill(1)
    found = [path for path in (home / "node-1" / "data").glob(f"{topic}-*") if path.is_dir()]
    assert found
    for directory in found:
        for file in directory.iterdir():
            if file.name != "partition.metadata":
                shutil.rmtree(file) if file.is_dir() else file.unlink()
    await asyncio.to_thread(cluster.start, 1)
