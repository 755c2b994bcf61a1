"""Records that were put off: they wait for their time, and hold nobody up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from faust.types import TP

from streams.core.records import Source
from streams.core.retry_policy import LONGEST_RETRY_AFTER
from streams.errors import EnvelopeError, OwnershipLost
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.spill import Spill
from tests.support.desk import OTHER, Desk
from tests.support.scripted import SteppedClock, until
from tests.support.spills import nothing_in
from tests.support.world import EVENTS, RETRIES


async def test_a_record_put_off_is_the_one_it_was(desk: Desk) -> None:
    assignment = desk.begin()

    await desk.comes_back(0, of=3, seconds=-1)
    await until(lambda: bool(desk.processor.records))

    (record,) = desk.processor.records
    assert (record.tp, record.offset, record.returned_at) == (RETRIES, 0, 0)
    assert record.source == Source(EVENTS.topic, EVENTS.partition, 3)
    assert record.attempt == 2
    assert record.lane == (EVENTS.partition, "i-1")
    assert assignment.frontiers[RETRIES].committable == 1


async def test_before_its_time_it_waits_and_holds_nobody_up() -> None:
    desk = Desk(SteppedClock())
    assignment = desk.begin()
    await desk.comes_back(0, of=3, seconds=10)
    for offset in range(5, 50):
        await desk.take_up(offset)
    await until(lambda: len(desk.offsets) == 45)
    assert len(desk.dispatcher.waiting) == 1
    assert assignment.frontiers[RETRIES].committable == 0
    assert assignment.frontiers[EVENTS].committable == 50


async def test_what_is_no_record_put_off_is_handed_on_as_no_event(desk: Desk) -> None:
    desk.begin()

    await desk.take_up(0, tp=RETRIES)
    await until(lambda: bool(desk.processor.records))

    (record,) = desk.processor.records
    assert isinstance(record.event, EnvelopeError)
    assert record.event.field == "retry.source.topic"
    assert record.source == Source(RETRIES.topic, RETRIES.partition, 0)


@pytest.mark.parametrize("place", [RETRIES, OTHER, TP("another.events", EVENTS.partition)])
async def test_what_says_that_it_is_of_another_partition_is_no_event(desk: Desk, place: TP) -> None:
    """Its offset would pass for one of this partition, and what lies below it for published."""
    desk.begin()

    await desk.comes_back(0, of=500, seconds=-1, place=place)
    await until(lambda: bool(desk.processor.records))

    (record,) = desk.processor.records
    assert isinstance(record.event, EnvelopeError)
    assert record.source == Source(RETRIES.topic, RETRIES.partition, 0)


async def test_no_time_that_a_header_gives_is_waited_for_longer_than_the_longest_quiet() -> None:
    clock = SteppedClock()
    desk = Desk(clock)
    desk.begin()
    await desk.comes_back(0, of=3, seconds=400 * LONGEST_RETRY_AFTER)
    await until(lambda: len(desk.dispatcher.waiting) == 1)

    await until(lambda: bool(clock.slept))
    clock.advance(LONGEST_RETRY_AFTER + 1)
    await until(lambda: bool(desk.processor.records))


async def test_what_comes_back_takes_a_share_of_the_slots_and_no_more(desk: Desk) -> None:
    """Of two slots that is one: the other is for what is new."""
    ends = asyncio.Event()

    async def returned_last(record: SourceRecord) -> None:
        if record.returned_at is not None:
            await ends.wait()
            raise OwnershipLost("gone")

    desk.processor.does = returned_last
    desk.begin()
    for offset, source in enumerate((1, 2, 3)):
        await desk.comes_back(offset, of=source, seconds=-1)
    await until(lambda: bool(desk.processor.records))
    for offset in range(3):
        await desk.take_up(offset, tp=OTHER)
    await until(lambda: len(desk.processor.records) == 4)
    assert [record.returned_at for record in desk.processor.records] == [0, None, None, None]
    assert (desk.dispatcher.lanes.backlog, len(desk.dispatcher.waiting)) == (1, 2)

    ends.set()
    await until(lambda: len(desk.processor.records) == 6)


async def test_one_that_has_waited_on_the_disk_is_the_one_it_was(tmp_path: Path) -> None:
    clock = SteppedClock()
    desk = Desk(clock, room=1, spill=Spill(tmp_path / "waiting", most=5))
    assignment = desk.begin()
    await desk.comes_back(0, of=3, seconds=10)
    await desk.comes_back(1, of=4, seconds=5)
    (spilled,) = desk.dispatcher.waiting.spilled(2)
    assert (len(desk.dispatcher.waiting), spilled.offset) == (2, 1)
    await until(lambda: bool(clock.slept))
    clock.advance(5)
    await until(lambda: len(desk.offsets) == 1)
    assert assignment.frontiers[RETRIES].committable == 0
    clock.advance(5)
    await until(lambda: len(desk.offsets) == 2)

    from_disk, from_memory = desk.processor.records
    assert (from_disk.offset, from_memory.offset) == (1, 0)
    changed = {
        "offset": 0,
        "source": from_memory.source,
        "due_ms": from_memory.due_ms,
        "not_before": from_memory.not_before,
        "taken_up_at": from_memory.taken_up_at,
        "value": from_memory.value,
        "event": from_memory.event,
        "headers": from_memory.headers,
        "asked": from_memory.asked,
    }
    assert msgspec.structs.replace(from_disk, **changed) == from_memory
    assert from_disk.source == Source(EVENTS.topic, EVENTS.partition, 4)
    assert spilled.not_before == pytest.approx(from_memory.not_before - 5)
    assert dict(from_disk.headers)["retry.source.offset"] == b"4"
    assert from_disk.interaction_id == "i-1"
    assert assignment.frontiers[RETRIES].committable == 2


async def test_what_waits_on_the_disk_is_left_to_the_next_owner_too(tmp_path: Path) -> None:
    desk = Desk(room=0, spill=Spill(tmp_path / "waiting", most=5))
    assignment = desk.begin()
    await desk.comes_back(0, of=3, seconds=1e9)

    await desk.dispatcher.end_assignment(assignment)
    desk.begin(generation=2)

    assert (desk.processor.records, len(desk.dispatcher.waiting)) == ([], 0)
    assert (nothing_in(tmp_path), assignment.uncommitted()) == (True, {})


async def test_what_waits_is_left_to_the_next_owner(desk: Desk) -> None:
    assignment = desk.begin()
    await desk.comes_back(0, of=3, seconds=1e9)

    await desk.dispatcher.end_assignment(assignment)
    desk.begin(generation=2)

    assert desk.processor.records == []
    assert len(desk.dispatcher.waiting) == 0
    assert assignment.uncommitted() == {}


async def test_too_many_that_wait_are_read_no_further() -> None:
    clock = SteppedClock()
    desk = Desk(clock, room=3)
    desk.begin()
    for offset in range(3):
        await desk.comes_back(offset, of=offset, seconds=10)
    assert desk.partitions.held_back == [([RETRIES], True)]
    assert list(desk.dispatcher.held) == [RETRIES]

    await until(lambda: bool(clock.slept))
    clock.advance(10)
    await until(lambda: len(desk.offsets) == 3)

    assert desk.partitions.held_back[-1] == ([RETRIES], False)
    assert not desk.dispatcher.held
