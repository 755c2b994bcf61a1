"""A follower and its index on a real broker: what it does about a damaged index, and about a log
that was cut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from streams.clock import SystemClock
from streams.console.follower import Follower, Progress, layout
from streams.console.index.interaction import found_in
from streams.console.index.keys import Topic
from streams.console.index.store import Index
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.planted import Field
from tests.support.workers import eventually


@asynccontextmanager
async def following(settings: Settings, path: Path) -> AsyncIterator[tuple[Index, Progress]]:
    found = await layout(settings.kafka)
    index, progress = Index(path, settings.topics, found.origin), Progress()
    follower = Follower(settings.kafka, index, found.partitions, progress, SystemClock())
    task = asyncio.create_task(follower.run())
    try:
        yield index, progress
        assert not task.done(), task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})
        index.close()


async def with_an_event(settings: Settings) -> None:
    await asyncio.to_thread(apply_topics, settings.kafka)
    land = Field(round(time.time() * 1000), settings.topics)
    land.event("one", 1, "completed", 5)
    ((_, record),) = land.records
    publisher = KafkaPublisher(settings.kafka, client_id="test")
    await publisher.start()
    await publisher.publish(Message(record.topic, record.key, record.value))
    await publisher.stop()


def has_it(index: Index) -> bool:
    return len(found_in(index, "one", 4).events) == 1


async def test_a_page_that_finds_damage_has_the_index_built_again(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    await with_an_event(settings)
    async with following(settings, tmp_path / "index") as (index, progress):
        await eventually(lambda: progress.caught_up and has_it(index), 60, "it is read")
        index.clear()  # as if it were torn: nothing of it is there
        progress.damaged = True
        await eventually(lambda: has_it(index) and not progress.damaged, 60, "it is read again")


async def test_an_index_that_has_more_than_kafka_is_of_a_log_that_was_cut(
    broker: object, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    await with_an_event(settings)
    found = await layout(settings.kafka)
    before = Index(tmp_path / "index", settings.topics, found.origin)
    land = Field(round(time.time() * 1000), settings.topics)
    for sequence in range(5):
        land.event("of-the-old-log", sequence, "completed", 9)
    land.into(before)
    before.close()
    async with following(settings, tmp_path / "index") as (index, progress):
        await eventually(lambda: progress.caught_up and has_it(index), 60, "it is read anew")
        assert found_in(index, "of-the-old-log", 4).events == []
        assert max(index.positions().values()) == 1
        assert {topic for topic, _ in index.positions()} == {Topic.EVENTS}
