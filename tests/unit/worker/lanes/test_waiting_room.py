"""Records that wait for their time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.core.records import Source
from streams.errors import StoreError
from streams.worker.lanes import waiting_room as waiting_module
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.spill import Spill, Spilled
from streams.worker.lanes.waiting_room import WaitingRoom
from streams.worker.partitions.assignment import Assignment
from tests.support.event_loop import until_idle
from tests.support.scripted import SteppedClock, until
from tests.support.spills import NO_SPILL, nothing_in
from tests.support.taken_up import parsed
from tests.support.world import EVENTS, RETRIES, event

AT_ONCE = 5


class Scene:
    """A waiting room, and who was let out of it."""

    def __init__(self, room: int = 5_000, spill: Spill = NO_SPILL) -> None:
        self.clock = SteppedClock()
        self.admitted: list[int] = []
        self.held: list[bool] = []
        self.failures: list[BaseException] = []
        self.error: Exception | None = None
        self.room = WaitingRoom(
            self.clock,
            at_once=AT_ONCE,
            room=room,
            spill=spill,
            read_again=self._read_again,
            admit=self._admit,
            hold=self.held.append,
            on_failure=self.failures.append,
        )
        self._assignment = Assignment(1, {})

    def _read_again(self, spilled: Spilled) -> SourceRecord:
        return self._record(spilled.offset, 0.0, spilled.value or b"")

    async def _admit(self, record: SourceRecord) -> None:
        if self.error is not None:
            raise self.error
        self.admitted.append(record.offset)

    def put(self, offset: int, *, seconds: float, value: bytes = event()) -> None:
        self.room.put(self._record(offset, self.clock.time() + seconds, value))

    def _record(self, offset: int, not_before: float, value: bytes) -> SourceRecord:
        return SourceRecord(
            assignment=self._assignment,
            tp=RETRIES,
            offset=offset,
            key=b"i-1",
            value=value,
            headers=(),
            timestamp=0,
            taken_up_at=0,
            event=parsed(event()),
            source=Source(EVENTS.topic, EVENTS.partition, offset),
            attempt=1,
            not_before=not_before,
        )

    async def after(self, seconds: float) -> None:
        await until(lambda: bool(self.clock.slept))
        before = len(self.clock.slept)
        self.clock.advance(seconds)
        await until(lambda: len(self.clock.slept) > before)


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def test_they_leave_in_the_order_of_their_times(scene: Scene) -> None:
    for offset, seconds in enumerate([30, 10, 20]):
        scene.put(offset, seconds=seconds)
    await scene.after(9.9)
    assert scene.admitted == []

    await scene.after(0.3)
    assert scene.admitted == [1]

    await scene.after(100)
    assert scene.admitted == [1, 2, 0]
    assert len(scene.room) == 0


async def test_within_one_time_they_leave_as_they_came(scene: Scene) -> None:
    for offset in range(5):
        scene.put(offset, seconds=10)

    await scene.after(10)

    assert scene.admitted == [0, 1, 2, 3, 4]


async def test_none_leaves_a_millisecond_early(scene: Scene) -> None:
    """One that asks at its time is told what it waits for; a moment earlier it is put off anew."""
    scene.put(0, seconds=10)

    await scene.after(9.999)
    assert scene.admitted == []

    await scene.after(0.25)
    assert scene.admitted == [0]


async def test_nor_where_the_clock_is_set_back_while_it_waits_for_a_door(scene: Scene) -> None:
    for offset in range(AT_ONCE):
        scene.put(offset, seconds=0)
    scene.put(AT_ONCE, seconds=1)
    await until(lambda: bool(scene.clock.slept))
    scene.clock.advance(1)
    await until_idle()
    assert len(scene.admitted) == AT_ONCE

    scene.clock.now -= 5
    scene.room.ended()
    await until_idle()
    assert len(scene.admitted) == AT_ONCE

    scene.clock.now += 4.999
    await scene.after(0.25)
    assert scene.admitted[AT_ONCE:] == [AT_ONCE]
    scene.room.ended()
    scene.put(AT_ONCE + 1, seconds=0)
    await scene.after(0.25)
    assert scene.admitted[AT_ONCE:] == [AT_ONCE, AT_ONCE + 1], "the door was given back"


async def test_a_room_that_is_closed_lets_nobody_out(scene: Scene) -> None:
    scene.put(0, seconds=10)
    await until(lambda: bool(scene.clock.slept))

    scene.room.close()
    scene.clock.advance(100)
    await asyncio.sleep(0)

    assert scene.admitted == []
    assert scene.failures == []


async def test_a_full_room_says_so_each_time_and_again_when_half_of_it_is_gone() -> None:
    scene = Scene(room=4)
    for offset in range(5):
        scene.put(offset, seconds=10 + offset)
    assert scene.held == [True, True]
    assert scene.room.full

    await scene.after(13)
    assert (len(scene.room), scene.held) == (1, [True, True, False])
    assert not scene.room.full


async def test_large_ones_fill_it_sooner(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_module, "ROOM_BYTES", 4_000)
    for offset in range(4):
        scene.put(offset, seconds=10 + offset, value=1_000 * b"x")
    assert scene.held == [True]

    await scene.after(12)
    assert (len(scene.room), scene.held) == (1, [True, False])


async def test_those_on_the_disk_leave_in_the_same_order(tmp_path: Path) -> None:
    scene = Scene(room=4, spill=Spill(tmp_path / "waiting", most=100))
    for offset, seconds in enumerate([50, 10, 40, 20, 30, 20]):
        scene.put(offset, seconds=seconds)
    assert (len(scene.room), len(scene.room.spill), scene.held) == (6, 4, [])
    assert {record.offset for record in scene.room.records()} == {0, 1}
    assert [record.offset for record in scene.room.spilled(2)] == [3, 5]

    await scene.after(30)
    assert scene.admitted == [1, 3, 5, 4]
    for _ in scene.admitted:
        scene.room.ended()

    scene.put(6, seconds=5)  # there is room in memory again
    assert {record.offset for record in scene.room.records()} == {0, 6}
    await scene.after(100)
    assert scene.admitted == [1, 3, 5, 4, 6, 2, 0]
    assert len(scene.room) == 0


async def test_partitions_are_held_back_once_the_disk_is_full_too(tmp_path: Path) -> None:
    scene = Scene(room=1, spill=Spill(tmp_path / "waiting", most=4))
    for offset in range(4):
        scene.put(offset, seconds=10 + offset)
    assert not scene.room.full

    scene.put(4, seconds=14)
    scene.put(5, seconds=15)  # it was fetched already
    assert scene.held == [True, True]

    await scene.after(12)
    assert (scene.admitted, scene.held) == ([0, 1, 2], [True, True])
    await scene.after(1)
    assert (scene.admitted, scene.held) == ([0, 1, 2, 3], [True, True, False])
    for _ in scene.admitted:
        scene.room.ended()
    await scene.after(12)
    assert scene.admitted == [0, 1, 2, 3, 4, 5]


async def test_so_they_are_once_those_on_the_disk_are_large(tmp_path: Path) -> None:
    scene = Scene(room=1, spill=Spill(tmp_path / "waiting", most=100, most_bytes=4_000))
    for offset in range(6):
        scene.put(offset, seconds=10 + offset, value=1_000 * b"x")
    assert (len(scene.room.spill), scene.held) == (4, [True, True])

    await scene.after(12)
    assert (scene.admitted, scene.held) == ([0, 1, 2], [True, True])
    await scene.after(1)
    assert (scene.admitted, scene.held) == ([0, 1, 2, 3], [True, True, False])
    scene.room.close()
    assert not scene.room.spill.fills(0.1)


async def test_what_is_not_due_soon_has_half_of_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_module, "ROOM_BYTES", 4_000)
    scene = Scene(spill=Spill(tmp_path / "waiting", most=100))
    for offset in range(4):
        scene.put(offset, seconds=3_600, value=1_000 * b"x")
    scene.put(4, seconds=1, value=1_000 * b"x")
    assert {record.offset for record in scene.room.records()} == {0, 1, 4}


async def test_what_is_due_soon_stays_in_memory_beside_what_is_not(tmp_path: Path) -> None:
    """However many are due later, those of the calls that end now go over no disk."""
    scene = Scene(room=4, spill=Spill(tmp_path / "waiting", most=100))
    for offset in range(4):
        scene.put(offset, seconds=3_600)
    assert {record.offset for record in scene.room.records()} == {0, 1}

    for offset in range(4, 8):
        scene.put(offset, seconds=3 + offset / 10)
    assert {record.offset for record in scene.room.records()} == {0, 1, 4, 5}
    assert (len(scene.room.spill), scene.room.full) == (4, False)

    await scene.after(4)
    assert scene.admitted == [4, 5, 6, 7]


async def test_closed_it_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    scene = Scene(room=1, spill=Spill(tmp_path / "waiting", most=4))
    for offset in range(3):
        scene.put(offset, seconds=10)
    scene.room.close()
    assert (len(scene.room), nothing_in(tmp_path)) == (0, True)


async def test_a_disk_that_fails_ends_the_worker(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "waiting", most=4)
    scene = Scene(room=1, spill=spill)
    for offset in range(2):
        scene.put(offset, seconds=10)
    spill._opened().close()
    await until(lambda: bool(scene.clock.slept))
    scene.clock.advance(10)

    await until(lambda: bool(scene.failures))
    assert isinstance(scene.failures[0], StoreError)
    assert scene.admitted == [0]


async def test_a_few_are_let_out_at_a_time(scene: Scene) -> None:
    for offset in range(AT_ONCE + 2):
        scene.put(offset, seconds=0)
    await until(lambda: len(scene.admitted) == AT_ONCE)

    scene.room.ended()
    await until(lambda: len(scene.admitted) == AT_ONCE + 1)

    await until_idle()
    assert (scene.admitted, len(scene.room)) == ([0, 1, 2, 3, 4, 5], 1)


async def test_a_failure_ends_the_worker(scene: Scene) -> None:
    scene.error = RuntimeError("no")
    scene.put(0, seconds=0)

    await until(lambda: bool(scene.failures))

    assert [str(failure) for failure in scene.failures] == ["no"]
