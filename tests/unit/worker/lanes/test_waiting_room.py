"""Records that wait for their time."""

from __future__ import annotations

import asyncio

import pytest

from streams.core.records import Source
from streams.worker.lanes import waiting_room as waiting_module
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.waiting_room import WaitingRoom
from streams.worker.partitions.assignment import Assignment
from tests.support.event_loop import until_idle
from tests.support.scripted import SteppedClock, until
from tests.support.taken_up import parsed
from tests.support.world import EVENTS, RETRIES, event

AT_ONCE = 5


class Scene:
    """A waiting room, and who was let out of it."""

    def __init__(self, room: int = 5_000) -> None:
        self.clock = SteppedClock()
        self.admitted: list[int] = []
        self.held: list[bool] = []
        self.failures: list[BaseException] = []
        self.error: Exception | None = None
        self.room = WaitingRoom(
            self.clock,
            at_once=AT_ONCE,
            room=room,
            admit=self._admit,
            hold=self.held.append,
            on_failure=self.failures.append,
        )
        self._assignment = Assignment(1, {})

    async def _admit(self, record: SourceRecord) -> None:
        if self.error is not None:
            raise self.error
        self.admitted.append(record.offset)

    def put(self, offset: int, *, seconds: float, value: bytes = event()) -> None:
        self.room.put(
            SourceRecord(
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
                not_before=self.clock.time() + seconds,
            )
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
