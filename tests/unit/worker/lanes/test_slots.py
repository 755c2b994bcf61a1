"""Whose turn it is."""

from __future__ import annotations

import asyncio

from streams.worker.lanes.slots import Slots
from tests.support.event_loop import until_idle


class Lane:
    """Takes a slot, rests once when it is told to, gives the slot back when it is told to."""

    def __init__(self, name: str, slots: Slots, order: list[str]) -> None:
        self._name = name
        self._slots = slots
        self._order = order
        self.rests = asyncio.Event()
        self.rested = asyncio.Event()
        self.ends = asyncio.Event()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await self._slots.take()
        try:
            self._order.append(self._name)
            await self.rests.wait()
            async with self._slots.resting():
                await self.rested.wait()
            self._order.append(f"{self._name} again")
            await self.ends.wait()
        finally:
            self._slots.give_back()


async def test_who_comes_back_from_a_rest_goes_before_all_that_are_new() -> None:
    slots, order = Slots(1), list[str]()
    one, two, three = (Lane(name, slots, order) for name in ("one", "two", "three"))
    await until_idle()
    one.rests.set()
    await until_idle()
    assert order == ["one", "two"]

    one.rested.set()
    await until_idle()
    assert order == ["one", "two"]
    two.rests.set()
    await until_idle()

    assert order == ["one", "two", "one again"]
    one.ends.set()
    await until_idle()
    assert order == ["one", "two", "one again", "three"]
    for lane in (two, three):
        lane.task.cancel()
    await asyncio.wait({one.task, two.task, three.task})
    assert slots.in_use == 0


async def test_a_slot_given_to_one_that_is_cancelled_in_the_same_moment_is_not_lost() -> None:
    slots = Slots(1)
    await slots.take()
    waiting = asyncio.create_task(slots.take())
    await until_idle()

    slots.give_back()
    waiting.cancel()
    await asyncio.wait({waiting})

    assert slots.in_use == 0
    await asyncio.wait_for(slots.take(), 1)


async def test_who_is_cancelled_while_it_waits_is_passed_over() -> None:
    slots = Slots(1)
    await slots.take()
    gone, next_one = (asyncio.create_task(slots.take()) for _ in range(2))
    await until_idle()
    gone.cancel()
    await until_idle()

    slots.give_back()
    await until_idle()

    assert next_one.done()
    assert slots.in_use == 1
