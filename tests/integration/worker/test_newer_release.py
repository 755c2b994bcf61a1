"""What a newer release has written: a table is left alone, and a copy in ``retries`` is dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord

from streams.core.records import PutOff, Reason, Source
from streams.core.state_version import STATE_VERSION
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from streams.wire.retries import RETRY_VERSION, VERSION, retry_headers
from streams.worker.state.table import changelog
from tests.support.clusters import RunningKafka
from tests.support.envelopes import body
from tests.support.journey import Journey, journey
from tests.support.oracle import read_all
from tests.support.workers import WorkerProcess, eventually, free_port, workers

END_SECONDS = 60.0


async def write(centre: Journey, message: Message) -> None:
    publisher = KafkaPublisher(centre.settings.kafka, client_id="newer")
    await publisher.start()
    try:
        await publisher.publish(message)
    finally:
        await publisher.stop()


async def ends_with(worker: WorkerProcess, line: str) -> None:
    assert await asyncio.to_thread(worker.ended, END_SECONDS) == 1, worker.output[-4000:]
    last = worker.output.splitlines()[-1]
    assert last.startswith(f"genesys-streams: {line}"), worker.output[-4000:]


@pytest.fixture
def settings(
    broker: RunningKafka | EmbeddedBroker, make_settings: Callable[..., Settings]
) -> Settings:
    return make_settings(worker_port=free_port())


async def test_a_table_of_a_newer_release(settings: Settings, tmp_path: Path) -> None:
    newer = f'{{"schemaVersion":{STATE_VERSION + 1},"interactionId":"i-1"}}'.encode()
    async with journey(settings, interactions=1, seed=1) as (centre, _):
        with workers({"worker": centre.settings}, tmp_path) as started:
            worker = started["worker"]
            worker.start()
            await worker.ready()
            assert worker.terminate() == 0
            topic = changelog(settings.app_id)
            await write(centre, Message(topic, key=b"i-1", value=newer, partition=0))

            worker.start()
            await ends_with(worker, f"{topic}: the table has records of version 2")
            assert [each.value for each in await read_all(settings, topic)] == [newer]


async def test_a_record_that_a_newer_release_put_off(settings: Settings, tmp_path: Path) -> None:
    source = Source(settings.topics.events, 0, 7)
    headers = dict(retry_headers(source, PutOff(1, 0), Reason.TIMEOUT.value))
    headers[VERSION] = str(RETRY_VERSION + 1).encode()
    retries = settings.topics.retries
    async with journey(settings, interactions=1, seed=1) as (centre, _):
        record = Message(
            retries, key=b"i-1", value=body(), headers=list(headers.items()), partition=0
        )
        await write(centre, record)
        with workers({"worker": centre.settings}, tmp_path) as started:
            worker = started["worker"]
            worker.start()
            await worker.ready()

            async def dead() -> list[ConsumerRecord]:
                return await read_all(settings, settings.topics.dead_letters)

            await eventually(dead, END_SECONDS, "it is dead")
            assert worker.terminate() == 0, "no input stops a worker"
            (letter,) = await dead()
            assert letter.value == body()
            assert b"of a newer release" in dict(letter.headers)["dlq.message"]
