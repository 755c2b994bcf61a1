"""How it stands with an interaction, or with a conversation and each of its legs. Values alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.core.records import Leg


class State(StrEnum):
    """``CODED``: it has its code from us. ``WOULD``: it would have, without DRY_RUN. ``NO_CODE``:
    it was decided that it gets none. ``UNCONFIRMED``: the code was accepted and never seen.
    ``WAITS``: a record of it comes back, or a look at it is planned. ``UNDECIDED``: a record of it
    has no outcome yet, or none that decides anything. ``FAILED``: it could not be decided.
    ``SKIPPED``: named in SKIP_RECORDS. ``REFUSED``: the bridge did not let it in.
    ``NEVER_ARRIVED``: Kafka never had anything of it. ``NOT_KEPT``: there is nothing of it, or
    nothing of what became of it since it was redriven, and older records are kept no more, or were
    not read."""

    CODED = "coded"
    WOULD = "would-be-coded"
    NO_CODE = "no-code"
    UNCONFIRMED = "unconfirmed"
    WAITS = "waits"
    UNDECIDED = "undecided"
    FAILED = "failed"
    SKIPPED = "skipped"
    REFUSED = "refused"
    NEVER_ARRIVED = "never-arrived"
    NOT_KEPT = "not-kept"


@dataclass(frozen=True, slots=True)
class LegStands:
    """How it stands with one leg. ``what``: its decision, as a sentence."""

    leg: Leg
    state: State
    what: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """``legs``: those of a conversation that were decided or put off, in that order."""

    state: State
    what: str
    legs: Sequence[LegStands] = ()
