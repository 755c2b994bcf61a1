"""Giving partitions back, and losing them: what is ended before, and what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import cast

import pytest

from streams.errors import OwnershipLost, PublishError
from streams.worker import dispatcher as dispatcher_module
from streams.worker.lanes.source_record import SourceRecord
from tests.support.desk import Desk
from tests.support.scripted import until
from tests.support.world import EVENTS, event


async def test_the_record_in_hand_may_end_before_the_partitions_go(desk: Desk) -> None:
    assignment = desk.begin()
    gate = asyncio.Event()
    desk.processor.does = lambda _work: cast(Awaitable[None], gate.wait())
    await desk.take_up(5)
    await desk.take_up(6)
    ending = asyncio.create_task(desk.dispatcher.end_assignment(assignment))
    await asyncio.sleep(0)
    assert assignment.ending.is_set()
    await desk.take_up(7)
    for _ in range(10):  # turns of the loop: an end that waits for nobody would have come
        await asyncio.sleep(0)
    assert not ending.done()

    gate.set()
    await asyncio.wait_for(ending, 5)

    assert desk.offsets == [5]
    assert assignment.frontiers[EVENTS].expected == 7
    assert assignment.uncommitted() == {EVENTS: 6}
    assert desk.table.disowned == 1


async def test_a_record_below_one_that_is_published_is_not_left_to_the_next_owner(
    desk: Desk,
) -> None:
    """The committed offset would stay below it, and the one above be published again."""
    assignment = desk.begin()
    gate = asyncio.Event()

    async def hold(record: SourceRecord) -> None:
        if record.offset == 5:
            await gate.wait()

    desk.processor.does = hold
    await desk.take_up(5, event(1))
    await desk.take_up(6, event(2))  # of the same interaction, so behind it
    other = event(1).replace(b'"i-1"', b'"i-2"')
    await desk.take_up(7, other)
    await until(lambda: desk.offsets == [5, 7])
    await desk.take_up(8, event(3))  # nothing above it is begun
    ending = asyncio.create_task(desk.dispatcher.end_assignment(assignment))
    await asyncio.sleep(0)

    gate.set()
    await asyncio.wait_for(ending, 5)

    assert desk.offsets == [5, 7, 6]
    assert assignment.uncommitted() == {EVENTS: 8}


async def test_a_lane_that_does_not_end_is_abandoned(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "DRAIN_SECONDS", 0.02)
    assignment = desk.begin()
    desk.processor.does = lambda _work: cast(Awaitable[None], asyncio.Event().wait())
    await desk.take_up(5)

    await asyncio.wait_for(desk.dispatcher.end_assignment(assignment), 5)

    assert assignment.uncommitted() == {}
    assert desk.failures == []


async def test_groups_end_in_what_the_lanes_have_left_of_the_time(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    assignment = desk.begin()

    async def take_time(_: SourceRecord) -> None:
        await asyncio.sleep(0)
        desk.clock.now += 2.0

    desk.processor.does = take_time
    await desk.take_up(5)
    await desk.dispatcher.end_assignment(assignment)
    assert desk.commits.drains == [dispatcher_module.DRAIN_SECONDS - 2.0]
    assert "abandoned" not in caplog.text

    desk.commits.drained = False
    await desk.dispatcher.end_assignment(desk.begin(generation=2))
    assert "abandoned" in caplog.text


async def test_what_an_abandoned_lane_has_queued_is_fenced(desk: Desk) -> None:
    """Once the partitions are given up; not before, for lanes may still end."""
    assignment = desk.begin()
    await desk.dispatcher.end_assignment(assignment)
    assert desk.fenced == []

    assignment.revoke()

    assert desk.fenced == [1]


async def test_the_next_assignment_has_lanes_and_groups_of_its_own(desk: Desk) -> None:
    assignment = desk.begin()
    await desk.dispatcher.end_assignment(assignment)
    assignment.revoke()

    abandoned = desk.commits.abandoned
    desk.begin(generation=2)
    assert desk.commits.abandoned == abandoned + 1
    await desk.take_up(5, generation=2)

    assert desk.offsets == [5]
    assert desk.assignments.begun == 2


async def test_a_partition_lost_in_the_middle_is_no_failure(desk: Desk) -> None:
    assignment = desk.begin()

    async def lose(record: SourceRecord) -> None:
        record.assignment.revoke()
        record.assignment.check()

    desk.processor.does = lose
    await desk.take_up(5)
    for _ in range(5):
        await asyncio.sleep(0)

    assert desk.dispatcher.lanes.active == 0
    assert desk.failures == []
    assert assignment.uncommitted() == {}
    with pytest.raises(OwnershipLost):
        assignment.check()


async def test_kafka_that_does_not_acknowledge_ends_the_worker(desk: Desk) -> None:
    assignment = desk.begin()

    async def fail(_work: SourceRecord) -> None:
        raise PublishError("no in-sync replicas")

    desk.processor.does = fail
    await desk.take_up(5)
    await until(lambda: bool(desk.failures))
    desk.processor.does = None
    await desk.take_up(6)

    assert [str(failure) for failure in desk.failures] == ["no in-sync replicas"]
    assert desk.offsets == [5]
    assert assignment.uncommitted() == {}


async def test_the_assignment_asks_the_session(desk: Desk) -> None:
    assignment = desk.begin()
    desk.alive = False

    with pytest.raises(OwnershipLost, match="no heartbeat"):
        assignment.check()
