"""The decisions of this dialect, and why (contract, Out), for source records and for legs."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from streams import errors
from streams.core.records import Basis, Fault, PutOff


class Decision(StrEnum):
    """The decision on one source record, or on one leg."""

    NOTED = "noted"
    PATCHED = "patched"
    WOULD_PATCH = "would-patch"
    INELIGIBLE = "ineligible"
    DUPLICATE = "duplicate"
    NOT_FOUND = "not-found"
    REFUSED = "refused"
    UNCONFIRMED = "unconfirmed"
    DEFERRED = "deferred"
    FAILED = "failed"


class Reason(StrEnum):
    """Why it was decided so."""

    LOOK_PLANNED = "look-planned"
    LOOK_JOINED = "look-joined"
    DUPLICATE_EVENT = "duplicate-event"
    NO_AGENT_LEG = "no-agent-leg"
    EVENT_NOT_NEEDED = "event-not-needed"
    NOT_FOUND = "interaction-not-found"
    ELIGIBLE = "eligible"
    NOT_CONNECTED = "not-connected"
    TOO_SHORT = "duration-below-threshold"
    NON_VOICE = "non-voice-interaction"
    WRAP_UP_SET = "wrap-up-already-set"
    WRAP_UP_NOT_REQUIRED = "wrap-up-not-required"
    CAMPAIGN = "campaign"
    NOT_THE_LAST_LEG = "not-the-last-leg"
    WRAP_UP_CLOSED = "wrap-up-closed"
    NOT_VISIBLE = "not-visible"
    SERVER_ERROR = "server-error"
    RATE_LIMITED = "rate-limited"
    TIMEOUT = "timeout"
    CIRCUIT_OPEN = "circuit-open"
    UNAUTHORIZED = "unauthorized"
    NOT_YET_VISIBLE = "not-yet-visible"
    FORBIDDEN = "forbidden"
    BAD_REQUEST = "bad-request"
    RETRIES_EXHAUSTED = "retries-exhausted"
    INTERNAL_ERROR = "internal-error"


class Verdict(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What was decided, as an outcome tells it: the same when it is told again. The fields are
    those of today's Verdict."""

    decision: Decision
    reason: Reason
    basis: Basis
    dry_run: bool = False
    disposition_code_id: str | None = None
    patch_status: int | None = None
    recovered: bool = False
    duration_ms: int | None = None
    api_calls: int = 0
    attempts: int = 0
    decided_at: str = ""
    latency_ms: float = 0.0
    end_to_end_ms: float = 0.0
    error: Fault | None = None
    put_off: PutOff | None = None

    @property
    def final(self) -> bool:
        return self.decision is not Decision.DEFERRED


# Gives a verdict the times and numbers that the core does not know.
Stamp = Callable[[Verdict], Verdict]


def as_it_is(verdict: Verdict) -> Verdict:
    """The Stamp that adds nothing."""
    return verdict


# Genesys Cloud's own codes of an error for: no code is taken for this leg any more.
CLOSED_CODES = frozenset({"conversation.error.participant.no.active.conversations"})


def passing(error: errors.ApiError | errors.InternalError) -> Reason:
    """Why something is put off."""
    match error:
        case errors.RateLimited():
            return Reason.RATE_LIMITED
        case errors.Unauthorized():
            return Reason.UNAUTHORIZED
        case errors.ApiTimeout():
            return Reason.TIMEOUT
        case errors.CircuitOpen():
            return Reason.CIRCUIT_OPEN
        case errors.InternalError():
            return Reason.INTERNAL_ERROR
        case _:
            return Reason.SERVER_ERROR


def lasting(error: errors.ApiError | errors.InternalError) -> tuple[Decision, Reason]:
    """The decision after an error that no later try can mend."""
    if isinstance(error, errors.ApiError) and error.code in CLOSED_CODES:
        return Decision.REFUSED, Reason.WRAP_UP_CLOSED
    if isinstance(error, errors.Forbidden):
        return Decision.FAILED, Reason.FORBIDDEN
    return Decision.FAILED, Reason.BAD_REQUEST
