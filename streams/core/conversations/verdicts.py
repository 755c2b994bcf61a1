"""What an error means for a look or for a leg, and how a verdict gets its times."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from streams import errors
from streams.core.records import Call, Decision, Reason, Verdict

# Gives a verdict the times and numbers that the core does not know.
Stamp = Callable[[Verdict], Verdict]


def as_it_is(verdict: Verdict) -> Verdict:
    """The Stamp that adds nothing."""
    return verdict


def stamped(verdict: Verdict | None, stamp: Stamp, calls: tuple[Call, ...]) -> Verdict | None:
    """The verdict on a source record with its times, and with the requests of its look."""
    return None if verdict is None else replace(stamp(verdict), calls=calls)


def lasting(error: errors.ApiError | errors.InternalError) -> tuple[Decision, Reason]:
    """The decision after an error that no later try can mend."""
    match error:
        case errors.WrapUpClosed():
            return Decision.REFUSED, Reason.WRAP_UP_CLOSED
        case errors.Forbidden():
            return Decision.FAILED, Reason.FORBIDDEN
        case _:
            return Decision.FAILED, Reason.BAD_REQUEST
