"""One APP_ID, two TOPIC_PREFIXes: refused, and named (two prefixes would share one changelog)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.kafka.connection import librdkafka_options
from streams.kafka.group import look
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.clusters import RunningKafka
from tests.support.workers import WorkerProcess, eventually, free_port, workers

END_SECONDS = 40.0


@pytest.fixture
def pair(kafka: RunningKafka, make_settings: Callable[..., Settings]) -> dict[str, Settings]:
    """Two prefixes, one APP_ID, topics and all."""
    app_id = make_settings().app_id
    made = {
        name: make_settings(
            kafka_bootstrap_servers=kafka.bootstrap_servers,
            app_id=app_id,
            genesys_cloud_base_url="http://127.0.0.1:9",
            genesys_cloud_client_id="client",
            genesys_cloud_client_secret="secret",
            disposition_code_id="code",
            worker_port=free_port(),
            kafka_session_timeout_seconds=6.0,
        )
        for name in ("one", "two")
    }
    for settings in made.values():
        apply_topics(settings.kafka)
    return made


@contextmanager
def started(pair: dict[str, Settings], logs: Path) -> Iterator[dict[str, WorkerProcess]]:
    with workers(pair, logs) as each:
        yield each


def assert_refused(worker: WorkerProcess, pair: dict[str, Settings], by: str, other: str) -> None:
    line = worker.output.splitlines()[-1]
    assert line.startswith("genesys-streams: APP_ID, TOPIC_PREFIX: "), worker.output[-4000:]
    assert pair[by].app_id in line
    assert pair[by].topics.events in line
    assert pair[other].topic_prefix in line
    assert "kafka-consumer-groups.sh" in line
    assert "Traceback" not in worker.output


async def test_a_worker_of_another_prefix_is_in_the_group(
    pair: dict[str, Settings], tmp_path: Path
) -> None:
    with started(pair, tmp_path) as each:
        each["one"].start()
        await each["one"].ready()
        each["two"].start()

        assert await asyncio.to_thread(each["two"].ended, END_SECONDS) == 2

        assert_refused(each["two"], pair, "two", "one")
        await each["one"].ready()
        assert each["one"].output.count("partitions taken over") == 1, "it was not disturbed"


async def test_the_group_has_offsets_of_another_prefix(
    pair: dict[str, Settings], tmp_path: Path
) -> None:
    """And once they are deleted the worker starts."""
    one, two = pair["one"], pair["two"]
    admin = AdminClient(librdkafka_options(one.kafka))
    places = [TopicPartition(two.topics.events, 0, 5), TopicPartition(one.topics.events, 0, 0)]
    for done in admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(one.app_id, places)]
    ).values():
        done.result(20)
    with started(pair, tmp_path) as each:
        each["one"].start()
        assert await asyncio.to_thread(each["one"].ended, END_SECONDS) == 2
        assert_refused(each["one"], pair, "one", "two")

        # Kafka's own tool is not among the jars here; a topic takes its offsets along.
        for deleted in admin.delete_topics([two.topics.events]).values():
            deleted.result(20)
        each["one"].start()
        await each["one"].ready()


async def test_two_prefixes_at_the_same_moment(pair: dict[str, Settings], tmp_path: Path) -> None:
    """Not both go on."""
    with started(pair, tmp_path) as each:
        for worker in each.values():
            worker.start()

        def one_ended() -> bool:
            return any(worker.exit_code is not None for worker in each.values())

        await eventually(one_ended, END_SECONDS, "one of them ends")
        for name, other in (("one", "two"), ("two", "one")):
            if each[name].exit_code is not None:
                assert each[name].exit_code == 2, each[name].output[-4000:]
                assert_refused(each[name], pair, name, other)


async def test_a_group_that_never_was(pair: dict[str, Settings]) -> None:
    assert not (await look(pair["one"].kafka)).topics
