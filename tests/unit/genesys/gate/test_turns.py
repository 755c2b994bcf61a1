"""The gate that every request of the worker passes: whose turn it is, and who leaves before."""

from __future__ import annotations

import asyncio

from streams.core.retry_policy import LONGEST_QUIET
from streams.genesys.budget import Quota
from streams.genesys.gate import Gate, Turn
from tests.support.event_loop import until_idle
from tests.support.gates import after, answer, ask, passed
from tests.support.scripted import Recorder, SteppedClock, gate_of

USED_UP = Quota(count=300, allowed=300, reset=20)


# Turns


async def test_a_patch_goes_before_gets_that_came_earlier(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(1)
    get, patch = ask(gate), ask(gate, Turn.PATCH)

    await after(clock, 1)

    assert await passed(get, patch) == [False, True]


async def test_the_token_goes_first_of_all(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(1)
    patch, token = ask(gate, Turn.PATCH), ask(gate, Turn.TOKEN, "token")

    await after(clock, 1)

    assert await passed(patch, token) == [False, True]


async def test_who_came_first_goes_first(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(1)
    lanes = [ask(gate, subject=f"i-{n}") for n in range(5)]
    await after(clock, 1)
    for n in range(5):
        await after(clock, 1)
        assert await passed(*lanes[: n + 1]) == [True] * (n + 1)
        await answer(lanes[n].result())


# The budget


async def test_requests_leave_at_the_pace_of_the_budget(clock: SteppedClock) -> None:
    gate = gate_of(clock, per_minute=60)
    lanes = [ask(gate) for _ in range(10)]
    await until_idle()
    await answer(lanes[0].result())

    for seconds in range(1, 10):
        await after(clock, 1)
        assert sum(await passed(*lanes)) == 1 + seconds


async def test_a_budget_that_is_used_up_holds_all_until_its_window_ends(
    gate: Gate, clock: SteppedClock
) -> None:
    await answer(await gate.enter(Turn.GET, "i-1"), quota=USED_UP)
    lane = ask(gate)
    await after(clock, 19.75)
    assert await passed(lane) == [False]
    assert gate.obstacle() == "the API's budget sets the pace"

    await after(clock, 0.25)
    assert await passed(lane) == [True]


async def test_a_token_costs_no_budget(gate: Gate, clock: SteppedClock) -> None:
    await answer(await gate.enter(Turn.GET, "i-1"), quota=USED_UP)

    assert await passed(ask(gate, Turn.TOKEN, "token")) == [True]


# Lanes that leave


async def test_a_lane_that_is_cancelled_has_waited_all_the_same(
    gate: Gate, clock: SteppedClock, observer: Recorder
) -> None:
    gate.pause(10)
    lane = ask(gate)
    await until_idle()
    clock.advance(4)
    lane.cancel()
    await asyncio.wait([lane])
    assert observer.waits == [4]


async def test_a_lane_that_is_cancelled_waits_no_more(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(10)
    first, second = ask(gate), ask(gate)
    await until_idle()
    assert gate.waiting == 2

    second.cancel()
    await asyncio.wait([second])

    assert gate.waiting == 1
    await gate.close()
    await asyncio.wait([first])
    assert first.cancelled()


async def test_a_lane_cancelled_in_the_moment_it_is_refused_is_cancelled(
    gate: Gate, clock: SteppedClock
) -> None:
    gate.pause(1)
    lane = ask(gate)
    await until_idle()
    gate.pause(LONGEST_QUIET + 1)
    gate._let_pass()
    lane.cancel()

    await asyncio.wait([lane])

    assert lane.cancelled()


async def test_a_lane_that_is_cancelled_takes_nobodys_turn(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(1)
    first, second = ask(gate), ask(gate)
    await until_idle()
    first.cancel()

    await after(clock, 1)

    assert await passed(second) == [True]
    assert gate.waiting == 0


async def test_a_lane_cancelled_in_the_moment_it_is_let_through_gives_its_permit_back(
    clock: SteppedClock,
) -> None:
    gate = gate_of(clock)
    gate.pause(1)
    first, second = ask(gate), ask(gate)
    await until_idle()
    clock.now += 1
    gate._let_pass()
    first.cancel()

    await after(clock, 1)

    assert first.cancelled()
    assert await passed(second) == [True]
