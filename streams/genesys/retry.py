"""When a lane tries a call again by itself, and how long it waits before it does.

A loop of our own: the wait is the policy's, the gate's or none at all depending on the error, and
a library would want the three as callbacks that share state, which is longer than the loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from random import Random
from typing import TypeVar

from streams.clock import Clock, Resting
from streams.core.retry_policy import LONGEST_QUIET, LONGEST_REST, CallPolicy
from streams.errors import ApiError, ApiTimeout, ConnectionLost, RateLimited, ServerError

T = TypeVar("T")


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
    policy: CallPolicy,
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
