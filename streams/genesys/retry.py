"""When a lane tries a call again by itself, and how long it waits before it does.

A loop of our own: the wait is the policy's, the gate's or none at all depending on the error, and
a library would want the three as callbacks that share state, which is longer than the loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from streams.clock import Clock, Resting
from streams.errors import ApiError, ApiTimeout, ConnectionLost, RateLimited, ServerError
from streams.genesys.gate import LONGEST_QUIET

T = TypeVar("T")

# Seconds that a lane waits to try its own call again. A 5xx whose Retry-After is longer is put off:
# a record held for minutes, when nothing else comes, looks like a worker that is stuck.
LONGEST_REST = 30.0

# Doublings after which the wait grows no more: keeps 2**n finite for one that retries for days.
_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Growing waits, in seconds: at most ``base`` after the first failure in a row, twice as long
    after each further one, never more than ``cap``."""

    base: float
    cap: float

    def limit(self, failures: int) -> float:
        """The longest wait after that many failures in a row."""
        return min(self.cap, self.base * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))

    def wait(self, failures: int, random: Random) -> float:
        """Exponential with full jitter: from 0 to the limit for that many failures in a row."""
        return random.uniform(0, self.limit(failures))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a lane tries one call, the first time included, and how long it waits between.

    Three tries ride out a restart behind the load balancer; more would hold the lane's record
    while the API is down, when it is better put off.
    """

    tries: int = 3
    backoff: Backoff = Backoff(base=0.5, cap=10.0)


def worth_repeating(error: ApiError) -> bool:
    """Whether the same call may be sent again here and now, without looking first."""
    match error:
        case RateLimited():
            return error.retry_after <= LONGEST_QUIET
        case ServerError() | ApiTimeout() | ConnectionLost():
            return not error.maybe_applied and error.retry_after <= LONGEST_REST
        case _:
            return False


async def persist(
    once: Callable[[], Awaitable[T]],
    *,
    policy: RetryPolicy,
    clock: Clock,
    random: Random,
    resting: Resting = nullcontext,
) -> T:
    """Call ``once`` until it succeeds, and enter ``resting`` for each wait in between. Raises its
    last ApiError when the tries are used up, and at once when repeating is of no use."""
    failures = 0
    while True:
        try:
            return await once()
        except ApiError as error:
            failures += 1
            if failures >= policy.tries or not worth_repeating(error):
                raise
            if isinstance(error, RateLimited):
                continue  # The gate says how long to wait, for all lanes alike.
            wait = max(policy.backoff.wait(failures, random), error.retry_after)
        async with resting():
            await clock.sleep(wait)
