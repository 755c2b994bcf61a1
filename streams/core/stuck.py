"""Why a record waits: what is known of where it is, into one word.

Pure. The worker says where each open record is and what holds requests back; nothing here asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto


class Cause(StrEnum):
    """What a record waits for, in one word (docs/stuck.md)."""

    GATE = "gate"
    """Genesys Cloud has asked for quiet (429)."""
    BREAKER = "breaker"
    """Genesys Cloud fails, and only probes are let through."""
    BUDGET = "budget"
    """Its turn: so many requests a minute are allowed."""
    TOKEN = "token"
    """An access token."""
    CALL = "call"
    """The answer to a request that is under way."""
    RETRY = "retry"
    """A moment, until a request that has failed is tried again."""
    AGENT = "agent"
    """The time of a look that is planned: the agent has it until then."""
    PUT_OFF = "put-off"
    """The time until which it was put off."""
    LANE = "lane"
    """The record before it, of the same interaction."""
    SLOT = "slot"
    """One of MAX_IN_FLIGHT, or of the part of them that is for records that come back."""
    KAFKA = "kafka"
    """An acknowledgement, or the answer to a heartbeat."""
    FAILURES = "failures"
    """Somebody who looks: more have failed than DEAD_LETTER_LIMIT allows."""
    BEHIND = "behind"
    """Its worker, which has not taken it up yet."""
    NO_WORKER = "no-worker"
    """A worker: none has its partition, or the one that has it does not answer."""
    UNKNOWN = "unknown"
    """Nothing that can be named. After STALL_SECONDS the worker ends over it."""


class Stage(StrEnum):
    """What a request for a record waits for."""

    NONE = auto()
    """There is none."""
    TOKEN = auto()
    GATE = auto()
    SENT = auto()
    REST = auto()


class Where(StrEnum):
    """Where in its worker a record is."""

    WORKED_ON = auto()
    BEHIND = auto()
    """In a lane, behind another one."""
    NO_SLOT = auto()
    """The first of a lane that has no slot yet, or that finds no room in its lane."""
    GROUP = auto()
    """Decided, and in a group."""
    ROOM = auto()
    """In the waiting room."""
    NOWHERE = auto()
    """Taken up, unfinished, and in none of them."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What holds all requests back. ``seconds``: from now on; None when that is not known."""

    cause: Cause
    seconds: float | None


@dataclass(frozen=True, slots=True)
class State:
    """``due_in``: seconds until the time of a record in the waiting room. ``planned``: it is a look
    that nothing has put off."""

    where: Where
    stage: Stage = Stage.NONE
    due_in: float = 0.0
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Why:
    """``next_in``: seconds until the next try, where that is known."""

    cause: Cause
    next_in: float | None = None


def why(state: State, hold: Hold | None, *, stopped: bool) -> Why:
    """Why a record in this state waits. ``hold``: what holds requests back; None when nothing does.
    ``stopped``: more have failed than is allowed, so nothing is begun any more."""
    match state.where:
        case Where.WORKED_ON:
            return _of_request(state.stage, hold)
        case Where.GROUP:
            return Why(Cause.KAFKA)
        case Where.ROOM if state.due_in > 0:
            return Why(Cause.AGENT if state.planned else Cause.PUT_OFF, state.due_in)
    if stopped:
        return Why(Cause.FAILURES)
    match state.where:
        case Where.BEHIND:
            return Why(Cause.LANE)
        case Where.NOWHERE:
            return Why(Cause.UNKNOWN)
    return Why(Cause.SLOT)


def _of_request(stage: Stage, hold: Hold | None) -> Why:
    match stage:
        case Stage.TOKEN if hold is not None and hold.cause is not Cause.BUDGET:
            return Why(hold.cause, hold.seconds)  # the token's own request waits for it
        case Stage.TOKEN:
            return Why(Cause.TOKEN)
        case Stage.GATE if hold is not None:
            return Why(hold.cause, hold.seconds)
        case Stage.GATE:
            return Why(Cause.BUDGET, 0.0)
        case Stage.SENT:
            return Why(Cause.CALL)
        case Stage.REST:
            return Why(Cause.RETRY)
    return Why(Cause.KAFKA)
