"""No living corpse (promise 13): a worker that can not do its job ends, and says why."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.clusters import KafkaCluster, RunningKafka
from tests.support.workers import eventually, free_port, worker_settings, workers

# What the operator is promised.
END_SECONDS = 30.0


async def test_a_topic_is_missing(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = worker_settings(make_settings, kafka)
    with workers({"alone": settings}, tmp_path) as started:
        started["alone"].start()
        assert await asyncio.to_thread(started["alone"].ended, END_SECONDS) == 1
        assert settings.topics.events in started["alone"].output
        assert "topics apply" in started["alone"].output


async def test_the_broker_refuses_the_session_timeout(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = worker_settings(make_settings, kafka).model_copy(
        update={"kafka_session_timeout_seconds": 0.5}
    )
    apply_topics(settings.kafka)
    with workers({"alone": settings}, tmp_path) as started:
        started["alone"].start()
        assert await asyncio.to_thread(started["alone"].ended, END_SECONDS) == 1
        assert "InvalidSessionTimeout" in started["alone"].output


async def test_another_worker_takes_its_membership(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """Two processes with one WORKER_INSTANCE_ID: the first is fenced and must not fight for it."""
    first = worker_settings(make_settings, kafka, worker_instance_id="one-and-the-same")
    second = first.model_copy(update={"data_dir": tmp_path / "second", "worker_port": free_port()})
    apply_topics(first.kafka)
    with workers({"first": first, "second": second}, tmp_path) as started:
        started["first"].start()
        await started["first"].ready()
        started["second"].start()
        assert await asyncio.to_thread(started["first"].ended, END_SECONDS) == 1
        assert "WORKER_INSTANCE_ID" in started["first"].output
        await started["second"].ready()


async def test_a_stop_that_hangs_keeps_nobody_waiting(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """It ends in time, with 0, and its partitions are taken over long before its session is."""
    stays = worker_settings(make_settings, kafka, kafka_session_timeout_seconds=45.0)
    hangs = stays.model_copy(update={"data_dir": tmp_path / "hangs", "worker_port": free_port()})
    apply_topics(stays.kafka)
    with workers({"stays": stays, "hangs": hangs}, tmp_path) as started:
        for name, module in (("stays", ()), ("hangs", ("tests.kafka.hanging",))):
            started[name].start(*module)
            await started[name].ready()
        assert await asyncio.to_thread(started["hangs"].terminate) == 0
        assert "hangs in a rebalance" in started["hangs"].output

        def has_all() -> bool:
            lines = started["stays"].output.splitlines()
            last = [line for line in lines if "partitions taken over" in line][-1]
            return len(re.findall(r"\b\d+: \d+", last)) == 12

        await eventually(has_all, 15, "the worker that stays has all partitions")


async def test_a_worker_starts_while_a_broker_is_down(
    kafka3: KafkaCluster, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """Whichever it is: the one that is asked first may be the one that is down."""
    settings = worker_settings(make_settings, kafka3)
    apply_topics(settings.kafka)
    for node in (1, 2, 3):
        kafka3.kill(node)
        with workers({"alone": settings}, tmp_path) as started:
            started["alone"].start()
            await started["alone"].ready()
            assert started["alone"].terminate() == 0
        kafka3.start(node)
