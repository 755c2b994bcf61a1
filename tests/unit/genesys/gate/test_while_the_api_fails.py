"""The gate that every request of the worker passes: what it does by the breaker's word."""

from __future__ import annotations

import pytest

from streams.core.retry_policy import LONGEST_QUIET
from streams.errors import ApiError, ApiTimeout, CircuitOpen, ConnectionLost
from streams.genesys.breaker import BreakerPolicy, Result, State
from streams.genesys.gate import Gate, Turn
from tests.support.gates import after, answer, ask, known, passed
from tests.support.scripted import SteppedClock, gate_of


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


@pytest.mark.parametrize(("seconds", "state"), [(4.75, State.CLOSED), (5.25, State.OPEN)])
async def test_where_calls_take_too_long_one_that_fails_opens_the_breaker(
    clock: SteppedClock, seconds: float, state: State
) -> None:
    gate = gate_of(clock, policy=BreakerPolicy(slow_seconds=5, minimum_calls=4))
    await known(gate, clock)
    for n in range(2):
        permit = await gate.enter(Turn.GET, f"i-{n}")
        await after(clock, seconds)
        await answer(permit)
    assert gate.breaker.state(clock.now) is State.CLOSED

    await answer(await gate.enter(Turn.GET, "i-2"), 500)

    assert gate.breaker.state(clock.now) is state


async def test_an_api_that_recovers_slowly_refuses_nobody(clock: SteppedClock) -> None:
    """Every call is answered after 6 s, once the API is back."""
    gate = gate_of(clock, policy=BreakerPolicy(slow_seconds=5))
    await known(gate, clock)
    for _ in range(3):
        await answer(await gate.enter(Turn.GET, "i-1"), 500)
    lanes = [ask(gate, subject=f"i-{n}") for n in range(100)]

    while clock.now < 1000 + LONGEST_QUIET + 60:
        sent = [lane.result() for lane in lanes if (await passed(lane))[0]]
        await after(clock, 6)
        for permit in sent:
            if permit.result is Result.SILENT:
                await answer(permit)

    assert {lane.result().result for lane in lanes} == {Result.SLOW}
    assert gate.breaker.opened == 1


async def test_that_the_breaker_opens_is_logged_when_it_happens_and_why(
    gate: Gate, clock: SteppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    await known(gate, clock)
    for _ in range(3):
        await answer(await gate.enter(Turn.GET, "i-1"), 500)

    (logged,) = [each for each in caplog.records if "breaker is open" in each.getMessage()]
    assert vars(logged)["why"] == "3 failures in a row for i-1"
    assert vars(logged)["failure"] == "500"


@pytest.mark.parametrize("status", [401, 429])
async def test_status_errors_by_a_limit_say_nothing_of_the_apis_health(
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


async def test_who_waits_too_long_for_the_breaker_is_not_let_through(clock: SteppedClock) -> None:
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
