"""Taking records up: which are handed on, and how they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import cast

import pytest

from streams.core.envelope import InteractionEvent
from streams.errors import EnvelopeError
from tests.support.desk import OTHER, Desk
from tests.support.scripted import until
from tests.support.world import EVENTS, event, samples


async def test_records_go_from_the_committed_offset_on(desk: Desk) -> None:
    assignment = desk.begin()

    for offset in (5, 6, 7):
        await desk.take_up(offset)
    await until(lambda: len(desk.offsets) == 3)

    assert desk.offsets == [5, 6, 7]
    assert assignment.frontiers[EVENTS].committable == 8
    assert assignment.frontiers[OTHER].committable == 0


async def test_a_record_is_handed_on_as_it_came(desk: Desk) -> None:
    assignment = desk.begin()

    await desk.take_up(5)

    (record,) = desk.processor.records
    assert (record.assignment, record.tp, record.offset) == (assignment, EVENTS, 5)
    assert (record.key, record.value) == (b"i-1", event(5))
    assert record.headers == (("traceparent", b"00-1"),)
    assert (record.timestamp, record.taken_up_at) == (1_765_552_506.5, desk.clock.now)
    assert isinstance(record.event, InteractionEvent)
    assert record.lane == (EVENTS.partition, "i-1")


@pytest.mark.parametrize(
    "value",
    [None, b"\xff", b"[" * 100_000, b'{"detail-type": "purecloud:v2:other", "detail": {}}'],
)
async def test_what_is_no_event_is_handed_on_too(desk: Desk, value: bytes | None) -> None:
    desk.begin()

    await desk.take_up(5, value)

    (record,) = desk.processor.records
    assert isinstance(record.event, EnvelopeError)
    assert record.value == value
    assert record.lane == (EVENTS.partition, 5)


async def test_nothing_is_taken_up_without_an_assignment(desk: Desk) -> None:
    await desk.take_up(5)

    assert desk.offsets == []


async def test_records_of_another_generation_are_left(desk: Desk) -> None:
    assignment = desk.begin(generation=2)

    await desk.take_up(5, generation=1)

    assert desk.offsets == []
    assert assignment.frontiers[EVENTS].expected == 5


async def test_a_record_that_comes_again_is_dropped_and_counted(desk: Desk) -> None:
    desk.begin()
    await desk.take_up(5)

    await desk.take_up(5)
    await desk.take_up(4)

    assert desk.offsets == [5]
    assert desk.failures == []
    assert samples(desk.metrics)["genesys_streams_repeated_records_total"] == 2


async def test_a_assignment_knows_the_lives_of_events(desk: Desk) -> None:
    assignment = desk.begin()

    life = f"life of {EVENTS.topic}"
    assert assignment.lives == {EVENTS.partition: life, OTHER.partition: life}


async def test_memory_full_holds_the_agent_back(desk: Desk) -> None:
    desk.begin()
    gate = asyncio.Event()
    desk.processor.does = lambda _work: cast(Awaitable[None], gate.wait())

    async def all_of_them() -> None:
        for offset in range(5, 105):
            await desk.take_up(offset)

    taking_up = asyncio.create_task(all_of_them())
    await asyncio.wait({taking_up}, timeout=0.05)

    assert not taking_up.done()
    assert desk.dispatcher.lanes.backlog == 20
    gate.set()
    await asyncio.wait_for(taking_up, 5)


async def test_a_record_where_its_key_does_not_belong_is_counted(desk: Desk) -> None:
    desk.begin()
    await desk.take_up(5)
    desk.partitions.elsewhere = (EVENTS, b"i-1")
    await desk.take_up(6)
    assert samples(desk.metrics)["genesys_streams_misplaced_records_total"] == 1
    assert desk.offsets == [5, 6]
