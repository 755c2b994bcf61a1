"""When a lane tries again by itself, and how long it waits."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.retry_policy import Backoff, CallPolicy
from streams.errors import (
    ApiError,
    ApiTimeout,
    BadRequest,
    Conflict,
    ConnectionLost,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
)
from streams.genesys.retry import persist, worth_repeating
from tests.support.scripted import LeapingClock

TRANSIENT = [
    ServerError("x"),
    ServerError("x", retry_after=30),
    ApiTimeout("x"),
    ConnectionLost("x"),
    RateLimited("x", retry_after=1),
]
FINAL = [
    Unauthorized("x"),
    Forbidden("x"),
    NotFound("x"),
    Conflict("x"),
    BadRequest("x"),
    RateLimited("x", retry_after=180.1),
    ServerError("x", maybe_applied=True),
    ServerError("x", retry_after=30.1),
    ApiTimeout("x", maybe_applied=True),
    ConnectionLost("x", maybe_applied=True),
]


class Failing:
    """Raises these in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


async def run(failing: Failing, clock: LeapingClock, tries: int = 3) -> str:
    return await persist(failing, policy=CallPolicy(tries=tries), clock=clock, random=Random(7))


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
async def test_what_may_pass_is_tried_three_times(error: ApiError, clock: LeapingClock) -> None:
    assert worth_repeating(error)
    assert await run(Failing(error, error), clock) == "done"
    failing = Failing(error, error, error)
    with pytest.raises(type(error)):
        await run(failing, clock)
    assert failing.calls == 3


@pytest.mark.parametrize("error", FINAL, ids=repr)
async def test_what_will_not_pass_is_raised_at_once(error: ApiError, clock: LeapingClock) -> None:
    assert not worth_repeating(error)
    failing = Failing(error)
    with pytest.raises(type(error)):
        await run(failing, clock)
    assert failing.calls == 1
    assert clock.slept == []


async def test_what_is_no_api_error_is_none_of_its_business(clock: LeapingClock) -> None:
    failing = Failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await run(failing, clock)
    assert failing.calls == 1


async def test_after_a_429_the_gate_waits_and_not_the_loop(clock: LeapingClock) -> None:
    await run(Failing(RateLimited("x", retry_after=100)), clock)
    assert sum(clock.slept) == 0


async def test_after_a_5xx_that_says_how_long_it_waits_as_long(clock: LeapingClock) -> None:
    await run(Failing(ServerError("x", retry_after=25)), clock)
    assert clock.slept == [25]


async def test_the_waits_grow(clock: LeapingClock) -> None:
    with pytest.raises(ServerError):
        await run(Failing(*[ServerError("x")] * 200), clock, tries=200)
    assert len(clock.slept) == 199
    assert all(wait <= min(10, 0.5 * 2**n) for n, wait in enumerate(clock.slept))
    # Full jitter: spread over the whole range up to the limit.
    late = clock.slept[10:]
    assert min(late) < 1
    assert max(late) > 9


@given(
    base=st.floats(0.001, 100),
    cap=st.floats(0.001, 1000),
    failures=st.integers(1, 10**9),
    seed=st.integers(),
)
def test_a_wait_is_never_negative_and_never_above_its_limits(
    base: float, cap: float, failures: int, seed: int
) -> None:
    wait = Backoff(base=base, cap=cap).wait(failures, Random(seed))
    assert 0 <= wait <= cap
    assert wait <= base * 2 ** min(failures - 1, 100)
