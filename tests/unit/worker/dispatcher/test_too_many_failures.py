"""Above the limit of dead letters nothing more is begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import cast

from tests.support.desk import Desk
from tests.support.scripted import until
from tests.support.world import EVENTS


async def test_with_too_many_failures_what_is_queued_is_left(desk: Desk) -> None:
    assignment = desk.begin()
    gate = asyncio.Event()
    desk.processor.does = lambda _work: cast(Awaitable[None], gate.wait())
    for offset in (5, 6, 7):
        await desk.take_up(offset)
    desk.dead_letter_limit.passed = "too many failed"
    gate.set()
    await until(lambda: desk.dispatcher.lanes.active == 0)

    assert desk.offsets == [5]
    assert assignment.frontiers[EVENTS].committable == 6


async def test_with_too_many_failures_nothing_more_is_taken_up(desk: Desk) -> None:
    assignment = desk.begin()
    await desk.take_up(5)
    desk.dead_letter_limit.passed = "too many failed"

    taking_up = asyncio.create_task(desk.take_up(6))
    await desk.dispatcher._admit(desk.processor.records[0])
    await asyncio.wait({taking_up}, timeout=0.05)

    assert not taking_up.done()
    assert desk.offsets == [5]
    assert assignment.frontiers[EVENTS].expected == 6
    await desk.dispatcher.end_assignment(assignment)
    await asyncio.wait_for(taking_up, 5)
