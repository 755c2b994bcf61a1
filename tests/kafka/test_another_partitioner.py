"""A producer that places keys otherwise than Kafka's default partitioner: decided, and found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from confluent_kafka import Producer

from streams.kafka.connection import librdkafka_options
from streams.settings import Settings
from tests.support.clusters import RunningKafka
from tests.support.journey import journey
from tests.support.workers import eventually, free_port, workers


@pytest.fixture
def settings(kafka: RunningKafka, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        kafka_session_timeout_seconds=6.0,
        worker_port=free_port(),
    )


async def test_every_interaction_is_found_at_either_worker(
    settings: Settings, tmp_path: Path
) -> None:
    """librdkafka's own partitioner, CRC32: what it places belongs to another partition by ours."""
    async with journey(settings, interactions=30, seed=3) as (centre, events):
        pair = {
            name: centre.settings.model_copy(
                update={"worker_port": free_port(), "data_dir": tmp_path / name}
            )
            for name in ("first", "second")
        }
        with workers(pair, tmp_path) as started:
            for worker in started.values():
                worker.start()
                await worker.ready()
            options = librdkafka_options(centre.settings.kafka)
            producer = Producer(options | {"partitioner": "consistent_random"})
            for event in events:
                producer.produce(
                    centre.settings.topics.events,
                    key=event["detail"]["interactionId"],
                    value=json.dumps(event),
                )
            assert producer.flush(30) == 0

            async def all_published() -> bool:
                return len(await centre.outcomes()) == len(events)

            await eventually(all_published, 60, "every event has its outcome", every=1.0)
            async with aiohttp.ClientSession() as session:
                for url in [worker.url for worker in started.values()]:
                    for name in {event["detail"]["interactionId"] for event in events}:
                        async with session.get(f"{url}/interactions/{name}") as answer:
                            assert answer.status == 200, await answer.text()
                            assert (await answer.json())["interactionId"] == name
                misplaced = 0.0
                for worker in started.values():
                    async with session.get(f"{worker.url}/metrics") as answer:
                        misplaced += counted(await answer.text())
            assert 0 < misplaced <= len(events), misplaced


def counted(page: str) -> float:
    found = re.findall(r"^genesys_streams_misplaced\w*_total(?:{.*})? (\S+)$", page, re.MULTILINE)
    return sum(map(float, found))
