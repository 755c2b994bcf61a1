"""A producer with transactions leaves markers in the topic: offsets that no record comes for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiokafka
import msgspec

from streams.kafka.connection import aiokafka_options
from streams.settings import Settings
from tests.support.clusters import RunningKafka
from tests.support.journey import journey
from tests.support.oracle import read_all
from tests.support.workers import eventually, free_port, workers

STALL_SECONDS = 3.0


async def test_markers_are_passed_over_and_are_no_stall(
    kafka: RunningKafka, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        worker_port=free_port(),
        stall_seconds=STALL_SECONDS,
    )
    async with journey(settings, interactions=5, seed=6) as (centre, events):
        with workers({"alone": centre.settings}, tmp_path) as started:
            worker = started["alone"]
            worker.start()
            await worker.ready()
            producer = aiokafka.AIOKafkaProducer(
                **aiokafka_options(settings.kafka), transactional_id=settings.app_id
            )
            await producer.start()
            try:
                for event in events[:6]:
                    async with producer.transaction():
                        await producer.send_and_wait(
                            settings.topics.events,
                            key=event["detail"]["interactionId"].encode(),
                            value=msgspec.json.encode(event),
                        )
            finally:
                await producer.stop()

            async def published() -> bool:
                return len(await read_all(settings, settings.topics.outcomes)) == 6

            await eventually(published, 30, "every event has its outcome")
            # Longer than a stall takes to be one: it idles, and lives.
            await asyncio.sleep(STALL_SECONDS * 2)
            assert worker.exit_code is None, worker.output[-2000:]
