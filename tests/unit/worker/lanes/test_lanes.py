"""Promise 1: strict order inside a lane, no waiting between lanes; promise 11: limits hold."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from streams.clock import Resting
from streams.worker.lanes.lanes import BACKLOG_PER_SLOT, Lanes
from tests.support.event_loop import until_idle


@dataclass(frozen=True)
class Item:
    lane: str
    number: int
    owed: bool = False


class Works:
    """The lanes' work: each item waits until the test lets it end."""

    def __init__(self, in_flight: int = 100) -> None:
        self.started: list[Item] = []
        self.ended: list[Item] = []
        self.cancelled: list[Item] = []
        self.failures: list[BaseException] = []
        self.most = 0
        self._now = 0
        self._gates: dict[Item, asyncio.Future[None]] = defaultdict(
            asyncio.get_running_loop().create_future
        )
        self.lanes = Lanes(self._work, in_flight=in_flight, on_failure=self.failures.append)

    async def put(self, *items: Item) -> None:
        for item in items:
            assert await self.lanes.put(item)
        await until_idle()

    async def end(self, *items: Item) -> None:
        for item in items:
            if not self._gates[item].done():
                self._gates[item].set_result(None)
        await until_idle()

    async def fail(self, item: Item, failure: Exception) -> None:
        self._gates[item].set_exception(failure)
        await until_idle()

    async def _work(self, item: Item, resting: Resting) -> None:
        self.started.append(item)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await self._gates[item]
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        finally:
            self._now -= 1
        self.ended.append(item)


A1, A2, A3 = (Item("a", number) for number in (1, 2, 3))
B1, B2 = (Item("b", number) for number in (1, 2))
C1 = Item("c", 1)


async def test_a_lane_works_on_one_item_at_a_time_in_order() -> None:
    works = Works()
    await works.put(A1, A2, A3)
    assert works.started == [A1]

    await works.end(A3, A2)
    assert works.started == [A1]

    await works.end(A1)
    assert works.ended == [A1, A2, A3]


async def test_lanes_do_not_wait_for_one_another() -> None:
    works = Works()
    await works.put(A1, A2, B1, B2)
    assert works.started == [A1, B1]

    await works.end(B1, B2)

    assert works.ended == [B1, B2]
    assert A2 not in works.started


async def test_a_lane_that_was_empty_starts_again() -> None:
    works = Works()
    await works.end(A1, A2)
    await works.put(A1)
    assert works.lanes.active == 0

    await works.put(A2)

    assert works.ended == [A1, A2]
    assert works.lanes.active == 0


async def test_no_more_than_in_flight_at_once() -> None:
    works = Works(in_flight=2)
    items = [Item(str(number), 1) for number in range(6)]
    await works.put(*items)

    assert works.started == items[:2]
    assert works.lanes.in_flight == 2
    await works.end(*items)
    assert works.ended == items
    assert works.most == 2
    assert works.lanes.in_flight == 0


async def test_a_hot_lane_does_not_take_more_than_one_slot() -> None:
    works = Works(in_flight=2)
    await works.put(A1, A2, A3, B1)

    assert works.started == [A1, B1]


async def test_put_waits_while_memory_is_full() -> None:
    works = Works(in_flight=1)
    items = [Item("hot", number) for number in range(BACKLOG_PER_SLOT)]
    await works.put(*items)
    assert works.lanes.backlog == BACKLOG_PER_SLOT
    one_more = asyncio.create_task(works.lanes.put(A1))
    await until_idle()
    assert not one_more.done()
    assert works.lanes.backlog == BACKLOG_PER_SLOT

    await works.end(items[0])

    assert await asyncio.wait_for(one_more, 5)
    await works.end(*items, A1)
    assert works.ended == [*items, A1]
    assert works.lanes.backlog == 0


async def test_drain_lets_the_item_in_hand_end_and_drops_the_queue() -> None:
    works = Works()
    await works.put(A1, A2, B1)
    draining = asyncio.create_task(works.lanes.drain(10))
    await until_idle()
    assert not draining.done()

    await works.end(A1, A2, B1)

    assert await asyncio.wait_for(draining, 5) is True
    assert works.ended == [A1, B1]
    assert A2 not in works.started
    assert works.lanes.active == 0


async def test_drain_ends_what_is_owed_as_well() -> None:
    owed, left = Item("a", 2, owed=True), Item("a", 3)
    works = Works()
    await works.put(A1, owed, left)
    draining = asyncio.create_task(works.lanes.drain(10))
    await works.end(A1)
    assert works.started == [A1, owed]
    assert not draining.done()

    await works.end(owed)

    assert await asyncio.wait_for(draining, 5) is True
    assert works.ended == [A1, owed]


async def test_a_failure_leaves_even_what_is_owed() -> None:
    """Its lane is out of order, and whoever hears of it ends the worker."""
    works = Works()
    await works.put(A1, Item("a", 2, owed=True), B1, Item("b", 2, owed=True))
    await works.fail(A1, RuntimeError("no"))
    await works.end(B1)

    assert works.started == [A1, B1]


async def test_drain_does_not_start_what_waits_for_a_slot() -> None:
    works = Works(in_flight=1)
    await works.put(A1, B1)
    draining = asyncio.create_task(works.lanes.drain(10))
    await until_idle()

    await works.end(A1, B1)

    assert await asyncio.wait_for(draining, 5) is True
    assert works.started == [A1]


async def test_drain_cancels_what_is_late() -> None:
    works = Works()
    await works.put(A1, B1)
    await works.end(B1)

    assert await asyncio.wait_for(works.lanes.drain(0.02), 5) is False

    assert works.cancelled == [A1]
    assert works.ended == [B1]
    assert works.failures == []
    assert works.lanes.in_flight == 0


async def test_drain_of_nothing_is_done() -> None:
    assert await Works().lanes.drain(0) is True


async def test_closed_lanes_take_nothing() -> None:
    works = Works()
    await works.lanes.drain(0)

    assert await works.lanes.put(A1) is False
    await until_idle()
    assert works.started == []


async def test_a_put_that_waits_for_room_ends_with_the_drain() -> None:
    works = Works(in_flight=1)
    await works.put(*(Item("hot", number) for number in range(BACKLOG_PER_SLOT)))
    one_more = asyncio.create_task(works.lanes.put(A1))
    await until_idle()

    await asyncio.wait_for(works.lanes.drain(0.02), 5)

    assert await asyncio.wait_for(one_more, 5) is False
    assert A1 not in works.started


async def test_a_lane_that_rests_gives_its_slot_to_another() -> None:
    rested = asyncio.Event()
    started: list[Item] = []

    async def work(item: Item, resting: Resting) -> None:
        started.append(item)
        if item == A1:
            async with resting():
                await rested.wait()

    lanes = Lanes(work, in_flight=1, on_failure=_raise)
    for item in (A1, A2, B1):
        assert await lanes.put(item)
    await until_idle()
    assert started == [A1, B1]  # and its own lane waits

    rested.set()
    await until_idle()
    assert started == [A1, B1, A2]
    assert (lanes.in_flight, lanes.active) == (0, 0)


async def test_a_rest_ends_with_the_drain() -> None:
    async def work(_: Item, resting: Resting) -> None:
        async with resting():
            await asyncio.Event().wait()

    lanes = Lanes(work, in_flight=1, on_failure=_raise)
    for item in (A1, B1, C1):
        assert await lanes.put(item)
    await until_idle()

    assert await asyncio.wait_for(lanes.drain(0), 5) is False
    assert lanes.in_flight == 0


async def test_a_failing_item_is_reported() -> None:
    works = Works()
    await works.put(A1, B1)

    await works.fail(A1, RuntimeError("the broker is gone"))

    assert [str(failure) for failure in works.failures] == ["the broker is gone"]


async def test_nothing_is_worked_on_behind_a_failure() -> None:
    """A later record of the interaction would be published as if the failed one had been."""
    works = Works()
    await works.put(A1, A2)
    await works.fail(A1, RuntimeError("the broker is gone"))

    queued = await works.lanes.put(A3)
    await until_idle()

    assert not queued
    assert works.started == [A1]


async def test_the_item_in_hand_of_another_lane_may_end_after_a_failure() -> None:
    works = Works()
    await works.put(A1, B1, B2)
    await works.fail(A1, RuntimeError("the broker is gone"))

    await works.end(B1, B2)

    assert works.ended == [B1]


@given(
    lanes_of_items=st.lists(st.sampled_from("abcde"), max_size=40),
    in_flight=st.integers(1, 4),
    pauses=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    rests=st.lists(st.integers(0, 4), min_size=1, max_size=40),
)
def test_any_schedule(
    lanes_of_items: list[str], in_flight: int, pauses: list[int], rests: list[int]
) -> None:
    """However long items take and rest: order, limits, and every item once."""
    items = [Item(lane, number) for number, lane in enumerate(lanes_of_items)]
    ended: list[Item] = []
    begun: set[str] = set()
    working: set[Item] = set()
    most: list[int] = [0]

    async def work(item: Item, resting: Resting) -> None:
        assert item.lane not in begun
        begun.add(item.lane)
        steps = pauses[item.number % len(pauses)]
        await asyncio.sleep(0)
        working.add(item)
        most.append(len(working))
        for _ in range(steps):
            await asyncio.sleep(0)
        working.remove(item)
        async with resting():
            for _ in range(rests[item.number % len(rests)]):
                await asyncio.sleep(0)
        begun.remove(item.lane)
        ended.append(item)

    async def put_all() -> None:
        for item in items:
            assert await lanes.put(item)
            assert lanes.backlog <= in_flight * BACKLOG_PER_SLOT

    async def run() -> None:
        putting = asyncio.create_task(put_all())
        for _ in range(1 + 20 * len(items)):  # by far enough for the slowest schedule
            await until_idle()
            if len(ended) == len(items):
                break
        putting.cancel()
        await asyncio.wait({putting})
        assert putting.exception() is None
        assert await lanes.drain(0)

    lanes = Lanes(work, in_flight=in_flight, on_failure=_raise)
    asyncio.run(run())

    for lane in set(lanes_of_items):
        mine = [item for item in items if item.lane == lane]
        assert [item for item in ended if item.lane == lane] == mine
    assert max(most) <= in_flight
    assert (lanes.in_flight, lanes.backlog, lanes.active) == (0, 0, 0)


def _raise(failure: BaseException) -> None:
    raise failure
