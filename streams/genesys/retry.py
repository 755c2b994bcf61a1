"""When a lane tries a call again by itself, and how long it waits before that.

This is a loop of our own: depending on the error, the wait comes from the policy, from the gate, or
there is none. A library would need callbacks with shared state for that, which is longer than the
loop.
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
    """Whether the lane may send the same call again by itself, without a GET that looks first."""
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
    """Call ``once`` until it succeeds; ``resting`` is entered for each wait in between. Raises the
    last ApiError when the tries are used up, or at once when the call is not worth repeating."""
    failures = 0
    while True:
        try:
            return await once()
        except ApiError as error:
            failures += 1
            if failures >= policy.tries or not worth_repeating(error):
                raise
            if isinstance(error, RateLimited):
                continue  # The gate makes all lanes wait as long as the API has asked.
            wait = max(policy.backoff.wait(failures, random), error.retry_after)
        async with resting():
            await clock.sleep(wait)
