"""The gate that every request of the worker passes: paused by a 429, and opened gently."""

from __future__ import annotations

from itertools import pairwise

import pytest

from streams.core.retry_policy import LONGEST_QUIET
from streams.errors import RateLimited
from streams.genesys.breaker import BreakerPolicy
from streams.genesys.gate import OPENING_LIMIT, Gate, Turn
from tests.support.event_loop import until_idle
from tests.support.gates import Entry, after, answer, ask, known, passed
from tests.support.scripted import Recorder, SteppedClock, gate_of


async def test_it_is_open_when_new(gate: Gate, clock: SteppedClock, observer: Recorder) -> None:
    await answer(await gate.enter(Turn.GET, "i-1"))

    assert gate.paused_until() is None
    assert (clock.slept, observer.waits) == ([], [])


async def test_it_opens_when_the_quiet_is_over(
    gate: Gate, clock: SteppedClock, observer: Recorder
) -> None:
    gate.pause(10)
    assert gate.paused_until() == clock.now + 10
    lane = ask(gate)
    await after(clock, 9.75)
    assert await passed(lane) == [False]

    await after(clock, 0.25)

    assert await passed(lane) == [True]
    assert gate.paused_until() is None
    assert observer.waits == [10]


async def test_a_longer_quiet_counts_for_those_who_wait_already(
    gate: Gate, clock: SteppedClock
) -> None:
    gate.pause(5)
    lane = ask(gate)
    await until_idle()
    gate.pause(8)
    await after(clock, 7.75)
    assert await passed(lane) == [False]

    await after(clock, 0.25)
    assert await passed(lane) == [True]


async def test_a_shorter_quiet_does_not_open_it_early(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(10)
    gate.pause(1)
    assert gate.paused_until() == clock.now + 10


async def test_nobody_waits_for_a_quiet_longer_than_180_s(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(LONGEST_QUIET)
    patient = ask(gate)
    await until_idle()
    gate.pause(LONGEST_QUIET + 1)

    with pytest.raises(RateLimited) as caught:
        await gate.enter(Turn.GET, "i-2")

    assert caught.value.retry_after == LONGEST_QUIET + 1
    with pytest.raises(RateLimited):
        await patient


async def test_after_a_429_it_opens_gently(gate: Gate, clock: SteppedClock) -> None:
    """One, then two, then four: not all that have waited at once."""
    gate.pause(1)
    lanes = [ask(gate, subject=f"i-{n}") for n in range(100)]
    await after(clock, 1)
    waves, rounds = [], 0
    answered: set[Entry] = set()
    while len(answered) < 100:
        wave = [lane for lane in lanes if lane.done() and lane not in answered]
        waves.append(len(wave))
        answered |= set(wave)
        for lane in wave:
            permit = lane.result()
            permit.answered(200, None)
            permit.__exit__(None, None, None)
        await after(clock, 0.25)
        rounds += 1
        assert rounds < 20, waves

    assert waves[0] == 1
    assert all(later <= 2 * earlier + 1 for earlier, later in pairwise(waves))


async def test_a_request_that_comes_while_it_opens_counts_too(
    gate: Gate, clock: SteppedClock
) -> None:
    await known(gate, clock)
    gate.pause(1)
    await after(clock, 1)
    first, second = ask(gate), ask(gate)

    assert await passed(first, second) == [True, False]


async def test_what_was_on_its_way_when_it_paused_does_not_open_it(
    gate: Gate, clock: SteppedClock
) -> None:
    await known(gate, clock)
    refused, *others = [await gate.enter(Turn.GET, f"i-{n}") for n in range(40)]
    gate.pause(10)
    await answer(refused, 429)
    for permit in others:
        await answer(permit)
    lanes = [ask(gate, subject=f"j-{n}") for n in range(100)]

    await after(clock, 10)

    assert sum(await passed(*lanes)) == 1


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_what_does_not_succeed_opens_it_no_further(
    gate: Gate, clock: SteppedClock, status: int
) -> None:
    await known(gate, clock)
    gate.pause(1)
    lanes = [ask(gate, subject=f"i-{n}") for n in range(5)]
    await after(clock, 1)

    await answer(lanes[0].result(), status)
    await after(clock, 1)

    assert sum(await passed(*lanes)) == 2


async def test_an_api_that_is_slow_opens_it_all_the_same(clock: SteppedClock) -> None:
    gate = gate_of(clock, policy=BreakerPolicy(slow_seconds=5, share=1.1))
    await known(gate, clock)
    gate.pause(1)
    lanes = [ask(gate, subject=f"i-{n}") for n in range(6)]
    await after(clock, 1)

    await after(clock, 6)
    await answer(lanes[0].result())

    assert sum(await passed(*lanes)) == 3


async def test_once_enough_have_succeeded_it_is_open_as_before(
    gate: Gate, clock: SteppedClock
) -> None:
    await known(gate, clock)
    gate.pause(1)
    await after(clock, 1)
    for n in range(OPENING_LIMIT):
        await answer(await gate.enter(Turn.GET, f"i-{n}"))

    assert all(await passed(*[ask(gate, subject=f"j-{n}") for n in range(10 * OPENING_LIMIT)]))
