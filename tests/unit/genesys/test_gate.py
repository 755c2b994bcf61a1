"""The gate that every request of the worker passes."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from streams.core.retry_policy import LONGEST_QUIET
from streams.errors import ApiError, ApiTimeout, CircuitOpen, ConnectionLost, RateLimited
from streams.genesys.breaker import BreakerPolicy, Result, State
from streams.genesys.budget import Quota
from streams.genesys.gate import (
    OPENING_LIMIT,
    RELOOK_SECONDS,
    Gate,
    Permit,
    Turn,
)
from tests.support.scripted import Recorder, SteppedClock, gate_of

Entry = asyncio.Task[Permit]

USED_UP = Quota(count=300, allowed=300, reset=20)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def gate(clock: SteppedClock, observer: Recorder) -> Gate:
    return gate_of(clock, observer)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def after(clock: SteppedClock, seconds: float) -> None:
    """Let so much time pass, in the steps that the gate looks in."""
    await settle()
    ends = clock.now + seconds
    while clock.now < ends:
        clock.advance(min(RELOOK_SECONDS, ends - clock.now))
        await settle()


def ask(gate: Gate, turn: Turn = Turn.GET, subject: str = "i-1") -> Entry:
    return asyncio.create_task(gate.enter(turn, subject))


async def known(gate: Gate, clock: SteppedClock) -> None:
    """The first request has told that the budget is as good as endless."""
    await answer(await gate.enter(Turn.GET, "i-0"))
    await after(clock, 1)


async def answer(permit: Permit, status: int = 200, quota: Quota | None = None) -> None:
    with permit:
        permit.answered(status, quota)
    await settle()


async def passed(*entries: Entry) -> list[bool]:
    await settle()
    return [entry.done() for entry in entries]


# A 429


async def test_it_is_open_when_new(gate: Gate, clock: SteppedClock, observer: Recorder) -> None:
    await answer(await gate.enter(Turn.GET, "i-1"))

    assert gate.closed_until() is None
    assert (clock.slept, observer.waits) == ([], [])


async def test_it_opens_when_the_quiet_is_over(
    gate: Gate, clock: SteppedClock, observer: Recorder
) -> None:
    gate.pause(10)
    assert gate.closed_until() == clock.now + 10
    lane = ask(gate)
    await after(clock, 9.75)
    assert await passed(lane) == [False]

    await after(clock, 0.25)

    assert await passed(lane) == [True]
    assert gate.closed_until() is None
    assert observer.waits == [10]


async def test_a_longer_quiet_counts_for_those_who_wait_already(
    gate: Gate, clock: SteppedClock
) -> None:
    gate.pause(5)
    lane = ask(gate)
    await settle()
    gate.pause(8)
    await after(clock, 7.75)
    assert await passed(lane) == [False]

    await after(clock, 0.25)
    assert await passed(lane) == [True]


async def test_a_shorter_quiet_does_not_open_it_early(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(10)
    gate.pause(1)
    assert gate.closed_until() == clock.now + 10


async def test_nobody_waits_for_a_quiet_longer_than_180_s(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(LONGEST_QUIET)
    patient = ask(gate)
    await settle()
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


async def test_what_was_on_its_way_when_it_closed_does_not_open_it(
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
    await settle()
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


# The breaker


async def test_an_open_breaker_lets_nothing_through_but_probes(clock: SteppedClock) -> None:
    gate = gate_of(clock, policy=BreakerPolicy(open_seconds=30, probes=2))
    await known(gate, clock)
    for _ in range(3):
        await answer(await gate.enter(Turn.GET, "i-1"), 500)
        await after(clock, 1)
    lanes = [ask(gate, subject=f"i-{n}") for n in range(5)]
    await after(clock, 28.5)
    assert sum(await passed(*lanes)) == 0
    assert gate.obstacle() == "the circuit breaker is open: Genesys Cloud fails"

    await after(clock, 1)

    assert sum(await passed(*lanes)) == 2
    assert gate.obstacle() == "the circuit breaker is half-open: Genesys Cloud fails"
    for lane in lanes[:2]:
        await answer(lane.result())
    await after(clock, 1)
    assert sum(await passed(*lanes)) == 5
    assert gate.obstacle() is None


async def test_nothing_holds_back_who_does_not_wait(clock: SteppedClock) -> None:
    """Half open until somebody calls, which may be in the morning."""
    gate = gate_of(clock)
    await known(gate, clock)
    for _ in range(3):
        await answer(await gate.enter(Turn.GET, "i-1"), 500)
    await after(clock, 100)

    assert gate.breaker.state(clock.now) is State.HALF_OPEN
    assert gate.obstacle() is None


@pytest.mark.parametrize("error", [ApiTimeout("no answer"), ConnectionLost("no connection")])
async def test_no_answer_and_no_connection_count_for_the_breaker(
    clock: SteppedClock, error: ApiError
) -> None:
    gate = gate_of(clock)
    await known(gate, clock)
    for _ in range(3):
        with pytest.raises(ApiError), await gate.enter(Turn.GET, "i-1"):
            raise error
        await after(clock, 1)

    assert gate.breaker.state(clock.now) is State.OPEN


async def test_three_in_a_row_are_those_of_one_interaction(gate: Gate, clock: SteppedClock) -> None:
    await known(gate, clock)
    for n in range(10):
        await answer(await gate.enter(Turn.GET, f"i-{n}"), 500)
        await after(clock, 1)

    assert gate.breaker.state(clock.now) is State.CLOSED


async def test_calls_that_take_too_long_open_the_breaker(clock: SteppedClock) -> None:
    gate = gate_of(clock, policy=BreakerPolicy(slow_seconds=5, minimum_calls=3))
    await known(gate, clock)
    for n in range(2):
        permit = await gate.enter(Turn.GET, f"i-{n}")
        await after(clock, 5.25)
        await answer(permit)

    assert gate.breaker.state(clock.now) is State.OPEN


async def test_that_the_breaker_opens_is_logged_when_it_happens_and_why(
    gate: Gate, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    await known(gate, clock)
    for _ in range(3):
        await answer(await gate.enter(Turn.GET, "i-1"), 500)

    (told,) = [each for each in caplog.records if "breaker is open" in each.getMessage()]
    assert vars(told)["why"] == "3 failures in a row for i-1"
    assert vars(told)["failure"] == "500"


@pytest.mark.parametrize("status", [401, 429])
async def test_refusals_by_a_limit_say_nothing_of_the_apis_health(
    gate: Gate, clock: SteppedClock, status: int
) -> None:
    await known(gate, clock)
    for _ in range(5):
        await answer(await gate.enter(Turn.GET, "i-1"), status)
        await after(clock, 1)
        assert gate.breaker.state(clock.now) is State.CLOSED


async def test_a_long_wait_for_the_budget_is_none_for_the_breaker(clock: SteppedClock) -> None:
    gate = gate_of(clock, per_minute=30)
    lanes = [ask(gate, subject=f"i-{n}") for n in range(120)]
    while clock.now < 1000 + LONGEST_QUIET + 20:
        for lane in lanes:
            if lane.done() and lane.result().result is Result.SILENT:
                await answer(lane.result())
        await after(clock, 1)
    for _ in range(3):
        gate.breaker.end(gate.breaker.begin(clock.now), "bad", Result.FAILED, clock.now)

    await after(clock, 5)

    assert gate.breaker.state(clock.now) is State.OPEN
    assert [lane.exception() for lane in lanes if lane.done() and lane.exception()] == []


async def test_who_has_waited_too_long_is_not_refused_once_the_breaker_lets_calls_through(
    clock: SteppedClock,
) -> None:
    gate = gate_of(clock, per_minute=1, policy=BreakerPolicy(open_seconds=LONGEST_QUIET - 5))
    await answer(await gate.enter(Turn.GET, "i-0"))
    for _ in range(3):
        gate.breaker.end(gate.breaker.begin(clock.now), "bad", Result.FAILED, clock.now)
    first, second = ask(gate), ask(gate)

    await after(clock, LONGEST_QUIET + 10)

    assert await passed(first, second) == [True, False]
    await answer(first.result())


async def test_who_waits_too_long_for_the_breaker_is_told_so(clock: SteppedClock) -> None:
    gate = gate_of(clock, policy=BreakerPolicy(open_seconds=1000))
    await known(gate, clock)
    for _ in range(3):
        await answer(await gate.enter(Turn.GET, "i-1"), 500)
        await after(clock, 1)
    lane = ask(gate)
    await after(clock, LONGEST_QUIET)
    assert await passed(lane) == [False]

    await after(clock, 1)

    with pytest.raises(CircuitOpen, match="not sent"):
        await lane


# Lanes that leave


async def test_a_lane_that_is_cancelled_has_waited_all_the_same(
    gate: Gate, clock: SteppedClock, observer: Recorder
) -> None:
    gate.pause(10)
    lane = ask(gate)
    await settle()
    clock.advance(4)
    lane.cancel()
    await asyncio.wait([lane])
    assert observer.waits == [4]


async def test_a_lane_that_is_cancelled_waits_no_more(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(10)
    first, second = ask(gate), ask(gate)
    await settle()
    assert gate.waiting == 2

    second.cancel()
    await asyncio.wait([second])

    assert gate.waiting == 1
    await gate.close_for_good()
    await asyncio.wait([first])
    assert first.cancelled()


async def test_a_lane_cancelled_in_the_moment_it_is_refused_is_cancelled(
    gate: Gate, clock: SteppedClock
) -> None:
    gate.pause(1)
    lane = ask(gate)
    await settle()
    gate.pause(LONGEST_QUIET + 1)
    gate._let_pass()
    lane.cancel()

    await asyncio.wait([lane])

    assert lane.cancelled()


async def test_a_lane_that_is_cancelled_takes_nobodys_turn(gate: Gate, clock: SteppedClock) -> None:
    gate.pause(1)
    first, second = ask(gate), ask(gate)
    await settle()
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
    await settle()
    clock.now += 1
    gate._let_pass()
    first.cancel()

    await after(clock, 1)

    assert first.cancelled()
    assert await passed(second) == [True]
