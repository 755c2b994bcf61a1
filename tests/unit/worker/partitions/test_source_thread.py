"""What an assignment is told of its partitions, and what is committed with their offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streams.worker.partitions import source_thread
from streams.worker.partitions.source_thread import SourceThread
from streams.worker.partitions.starting_point import Found
from tests.support.consumer_rig import A, B, Rig

NEVER = -1
"""What a broker gives for the committed offset of a partition where none was committed."""


class Broker:
    """aiokafka's consumer on a broker that says what a test wants."""

    def __init__(self) -> None:
        self.committed: dict[TP, tuple[int, str]] = {}
        self.ranges: dict[TP, tuple[int, int]] = {}
        self.leaderless: set[TP] = set()
        self.hangs = False
        self.failure: Exception | None = None
        self.commits: list[dict[TP, tuple[int, str]]] = []
        self._coordinator = SimpleNamespace(fetch_committed_offsets=self._fetch_committed)

    async def _fetch_committed(self, tps: Collection[TopicPartition]) -> dict[Any, Any]:
        return {tp: OffsetAndMetadata(*self.committed.get(TP(*tp), (NEVER, ""))) for tp in tps}

    async def beginning_offsets(self, tps: Collection[TP]) -> dict[TopicPartition, int]:
        await self._answers(tps)
        return {TopicPartition(*tp): self.ranges[tp][0] for tp in tps}

    async def end_offsets(self, tps: Collection[TP]) -> dict[TopicPartition, int]:
        await self._answers(tps)
        return {TopicPartition(*tp): self.ranges[tp][1] for tp in tps}

    async def _answers(self, tps: Collection[TP]) -> None:
        if self.leaderless & set(tps):
            if self.hangs:
                await asyncio.Event().wait()
            raise KafkaConnectionError

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        self.commits.append({TP(*tp): (at.offset, at.metadata) for tp, at in offsets.items()})


@pytest.fixture
def scripted() -> Broker:
    return Broker()


@pytest.fixture
async def thread(rig: Rig, scripted: Broker, monkeypatch: pytest.MonkeyPatch) -> SourceThread:
    """The consumer's thread, started, in the thread of the test."""

    async def here(call: Callable[..., Awaitable[object]], *args: object) -> object:
        return await call(*args)

    async def started(_: object) -> None:
        pass

    thread = rig.thread
    thread._consumer = cast(Any, scripted)
    monkeypatch.setattr(thread, "call_thread", here)
    # All of it but what SourceThread adds needs a broker.
    monkeypatch.setattr("streams.worker.partitions.group_thread.GroupThread.on_start", started)
    await thread.on_start()
    return thread


async def test_committed_offsets_come_with_their_life_and_what_the_broker_has(
    thread: SourceThread, scripted: Broker
) -> None:
    scripted.committed = {A: (5, "life")}
    scripted.ranges = {A: (2, 9), B: (0, 3)}

    assert await thread.found([A, B]) == {A: Found(5, "life", 2, 9), B: Found(None, "", 0, 3)}


async def test_an_offset_of_zero_was_committed(thread: SourceThread, scripted: Broker) -> None:
    scripted.committed = {A: (0, "life")}
    scripted.ranges = {A: (0, 9)}

    assert await thread.found([A]) == {A: Found(0, "life", 0, 9)}


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_partition_without_a_leader_keeps_no_other_from_being_read(
    *,
    thread: SourceThread,
    scripted: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    hangs: bool,
) -> None:
    """Where committed offsets can not be judged, they are taken as they are; where there is none,
    the broker has to tell where the partition begins."""
    monkeypatch.setattr(source_thread, "RANGE_SECONDS", 0.05)
    scripted.committed = {A: (5, "life")}
    scripted.ranges = {A: (7, 9), B: (2, 3)}
    scripted.leaderless, scripted.hangs = {A}, hangs

    found = await asyncio.wait_for(thread.found([A, B]), 5)

    assert found == {A: Found(5, "life", 5, 5), B: Found(None, "", 2, 3)}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_each_commit_has_the_lives_of_its_logs(
    thread: SourceThread, scripted: Broker
) -> None:
    """Faust hands over offsets with nothing beside them."""
    thread.lives = {A: "life"}
    consumer: Any = scripted

    await consumer.commit(
        {
            TopicPartition(*A): OffsetAndMetadata(6, ""),
            TopicPartition(*B): OffsetAndMetadata(1, ""),
        }
    )

    assert scripted.commits == [{A: (6, "life"), B: (1, "")}]


async def test_what_was_put_right_is_committed_with_its_life(
    thread: SourceThread, scripted: Broker
) -> None:
    thread.lives = {A: "life@2", B: "another"}

    await thread.sign({A: 2})

    assert scripted.commits == [{A: (2, "life@2")}]


async def test_nothing_put_right_is_nothing_committed(
    thread: SourceThread, scripted: Broker
) -> None:
    """A commit of nothing would be a request to the coordinator all the same."""
    await thread.sign({})
    assert scripted.commits == []


@pytest.mark.parametrize("failure", [CommitFailedError(), None])
async def test_a_commit_that_fails_or_hangs_holds_no_assignment_back(
    thread: SourceThread,
    scripted: Broker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception | None,
) -> None:
    """The next start puts them right again."""
    monkeypatch.setattr(source_thread, "SIGN_SECONDS", 0.05)
    scripted.failure, scripted.hangs = failure, failure is None

    await asyncio.wait_for(thread.sign({A: 2}), 5)

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert scripted.commits == []
