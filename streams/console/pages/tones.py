"""How decisions and states are told apart: by a word, and by a colour beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.core.records import Decision
from streams.core.stuck import Cause
from streams.operator.explain.state import State

# Few enough to be told apart in a chart.
TONES: Mapping[str, Sequence[Decision]] = {
    "coded": (Decision.PATCHED, Decision.WOULD_PATCH),
    "no code": (
        Decision.INELIGIBLE,
        Decision.CONFLICT,
        Decision.NOT_FOUND,
        Decision.REFUSED,
        Decision.UNCONFIRMED,
    ),
    "nothing new": (Decision.DUPLICATE, Decision.STALE, Decision.NOTED),
    "put off": (Decision.DEFERRED,),
    "failed": (Decision.FAILED,),
}

_OF_DECISION = {decision.value: tone for tone, each in TONES.items() for decision in each}

_OF_STATE = {
    State.CODED: "coded",
    State.WOULD: "coded",
    State.NO_CODE: "no code",
    State.UNCONFIRMED: "put off",
    State.WAITS: "put off",
    State.UNDECIDED: "put off",
    State.FAILED: "failed",
    State.SKIPPED: "failed",
    State.REFUSED: "failed",
    State.NEVER_ARRIVED: "nothing new",
    State.NOT_KEPT: "nothing new",
}

_OF_KIND = {
    "dead-letter": "failed",
    "refused": "failed",
    "unreadable": "failed",
    "put-off": "put off",
    "look": "put off",
    "redrive": "put off",
    "replay": "put off",
}


# What waits for Genesys Cloud or a time, and what waits for somebody. The others wait for a turn.
_OF_CAUSE = {
    Cause.GATE: "put off",
    Cause.BREAKER: "put off",
    Cause.RETRY: "put off",
    Cause.PUT_OFF: "put off",
    Cause.FAILURES: "failed",
    Cause.NO_WORKER: "failed",
    Cause.UNKNOWN: "failed",
}


def of_decision(decision: str) -> str:
    """A decision of a later release is not known here."""
    return _OF_DECISION.get(decision, "nothing new")


def of_state(state: State) -> str:
    return _OF_STATE[state]


def of_cause(cause: Cause) -> str:
    return _OF_CAUSE.get(cause, "nothing new")


def of_kind(kind: str) -> str:
    """Of what ``explain`` calls a happening; decisions and requests have tones of their own."""
    return _OF_KIND.get(kind, "nothing new")
