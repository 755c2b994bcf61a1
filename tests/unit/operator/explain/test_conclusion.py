"""How it stands with an interaction: never arrived, refused, kept no more, each told apart."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.core.records import Decision, Leg, Reason
from streams.operator.explain.conclusion import conclude
from streams.operator.explain.found import Found, Kept, OutcomeRecord
from streams.operator.explain.state import State
from streams.wire.dead_letters import Stage
from streams.wire.outcomes import Outcome, outcome_id
from streams.wire.reading import Unreadable
from tests.unit.operator.explain.records import (
    EVENTS,
    FAULT,
    NOON,
    OUTCOMES,
    PARTITION,
    at,
    event_record,
    found,
    letter_record,
    outcome,
    outcome_record,
    return_record,
)

THRESHOLD_MS = 30_000
NEXT = "2026-01-05T08:00:30.000Z"

FIRST = outcome_record(0, outcome(0, sequence_id=1))
FAILED = outcome_record(1, outcome(1, Decision.FAILED, Reason.FORBIDDEN, error=FAULT))
DEFERRED = outcome_record(
    0, outcome(0, Decision.DEFERRED, Reason.SERVER_ERROR, attempt=1, next_at=NEXT, error=FAULT)
)
PATCHED = outcome_record(
    2,
    outcome(0, Decision.PATCHED, Reason.ELIGIBLE, patch_status=200, disposition_code_id="code-1"),
)

REDRIVEN = return_record(0, 1, attempt=0, redriven=1, ms=5_000)

CASES = [
    pytest.param(
        found(event_record(0), DEFERRED, return_record(0, 0), PATCHED),
        State.CODED,
        "it got the code code-1 (PATCH 200), decided at 2026-01-05T08:00:00.050Z",
        id="coded",
    ),
    pytest.param(
        found(outcome_record(0, outcome(0, Decision.WOULD_PATCH, Reason.ELIGIBLE))),
        State.WOULD,
        "DRY_RUN=false would have set it",
        id="in a dry run, and its event is gone",
    ),
    pytest.param(
        found(event_record(0), DEFERRED, return_record(0, 0)),
        State.WAITS,
        f"it was put off (server-error) and is taken up again at {NEXT}",
        id="put off",
    ),
    pytest.param(
        found(
            event_record(1),
            FAILED,
            letter_record(0, 1),
            return_record(0, 1, attempt=0, redriven=1, ms=5_000),
        ),
        State.WAITS,
        "it was sent back at 2026-01-05T08:00:05.000Z and is not decided yet",
        id="redriven",
    ),
    pytest.param(
        found(letter_record(0, 1), REDRIVEN, outcomes_kept=Kept(OUTCOMES, 1, 7, NOON + 5_001)),
        State.NOT_KEPT,
        "sent back at 2026-01-05T08:00:05.000Z, and what came of that is no longer kept: "
        f"{OUTCOMES}/1 begins at 2026-01-05T08:00:05.001Z",
        id="redriven so long ago that its outcome is gone",
    ),
    pytest.param(
        found(REDRIVEN, outcomes_kept=Kept(OUTCOMES, 1, None, None)),
        State.NOT_KEPT,
        f"is not decided yet, or its outcome is no longer kept: {OUTCOMES}/1 is empty",
        id="redriven, and all outcomes are gone",
    ),
    pytest.param(
        found(REDRIVEN, outcomes_kept=Kept(OUTCOMES, 1, 7, NOON + 5_000)),
        State.WAITS,
        "not decided yet",
        id="redriven, and its outcome would be there",
    ),
    pytest.param(
        found(REDRIVEN, outcomes_kept=Kept(OUTCOMES, 1, 0, NOON + 9_000)),
        State.WAITS,
        "not decided yet",
        id="redriven, and no outcome ever was deleted",
    ),
    pytest.param(
        found(event_record(0), FIRST, event_record(1), event_record(2)),
        State.UNDECIDED,
        f"{EVENTS}/{PARTITION}/1, and 1 more has no outcome yet",
        id="undecided",
    ),
    pytest.param(
        found(event_record(0), FIRST, event_record(1), FAILED, letter_record(0, 1)),
        State.FAILED,
        FAULT.message,
        id="dead",
    ),
    pytest.param(
        found(event_record(0), outcome_record(0, outcome(0, Decision.FAILED, Reason.SKIPPED))),
        State.SKIPPED,
        "named in SKIP_RECORDS",
        id="skipped",
    ),
    pytest.param(
        found(
            event_record(0, state="connected"),
            FIRST,
            event_record(1),
            outcome_record(
                1, outcome(1, Decision.INELIGIBLE, Reason.TOO_SHORT, duration_ms=12_000)
            ),
            event_record(2),
            outcome_record(2, outcome(2, Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE)),
            event_record(3, state="connected"),
            outcome_record(3, outcome(3)),
        ),
        State.NO_CODE,
        "it lasted 12 s; 30 s would have done",
        id="what says most: no duplicate, no event before its end",
    ),
    pytest.param(
        found(event_record(0, state="connected"), FIRST),
        State.NO_CODE,
        "connected, not completed",
        id="not over",
    ),
    pytest.param(
        found(letter_record(0, stage=Stage.BRIDGE)),
        State.REFUSED,
        "the bridge refused what was sent of it",
        id="refused",
    ),
    pytest.param(
        found(event_record(0, event=Unreadable("not JSON"))),
        State.FAILED,
        "none that can be read",
        id="unreadable",
    ),
    pytest.param(
        found(kept=Kept(EVENTS, PARTITION, 0, NOON)),
        State.NEVER_ARRIVED,
        "it never arrived",
        id="never",
    ),
    pytest.param(
        found(kept=Kept(EVENTS, PARTITION, 7, NOON)),
        State.NOT_KEPT,
        f"{EVENTS}/{PARTITION}, where it would lie, begins at 2026-01-05T08:00:00.000Z",
        id="perhaps older than what is kept",
    ),
    pytest.param(
        found(kept=Kept(EVENTS, PARTITION, None, None)),
        State.NOT_KEPT,
        "where it would lie, is empty",
        id="an empty partition",
    ),
    pytest.param(
        found(since=NOON), State.NOT_KEPT, "nothing of it since 2026-01-05T08:00:00", id="since"
    ),
]


@pytest.mark.parametrize(("of", "state", "part"), CASES)
def test_how_it_stands(of: Found, state: State, part: str) -> None:
    conclusion = conclude(of, THRESHOLD_MS)

    assert conclusion.state is state
    assert part in conclusion.what


def in_life(redriven: int = 0, *, ms: int, **changes: Any) -> OutcomeRecord:
    """A final outcome of event 1, once the log was cut."""
    id_ = outcome_id(at(1), redriven=redriven, life="topic@1767600000000")
    failed = outcome(1, Decision.FAILED, Reason.FORBIDDEN, ms=ms, outcome_id=id_, error=FAULT)
    return outcome_record(redriven + 3, msgspec.structs.replace(failed, **changes))


def test_a_redrive_in_a_log_that_was_cut_is_decided_by_a_later_outcome() -> None:
    """Its id has the life of the log in it, which nothing here knows."""
    again = return_record(1, 1, attempt=0, redriven=2, ms=6_000)
    happened = (in_life(ms=100), REDRIVEN, in_life(1, ms=5_001), again, in_life(2, ms=6_001))
    stands = [
        conclude(found(event_record(1), *happened[:number]), THRESHOLD_MS).state
        for number in range(1, len(happened) + 1)
    ]
    assert stands == [State.FAILED, State.WAITS, State.FAILED, State.WAITS, State.FAILED]


def test_no_other_outcome_decides_a_redrive() -> None:
    """Only its own, however late they come: a copy of the first, and one of another record."""
    late = in_life(ms=9_000)
    assert isinstance(late.outcome, Outcome)
    own = outcome_id(at(1))
    for other in (
        in_life(ms=9_000, outcome_id=own),
        in_life(ms=9_000, source=at(2)),
        in_life(ms=9_000, leg=Leg("agent-1")),
    ):
        of = found(event_record(1), FAILED, REDRIVEN, other)
        assert conclude(of, THRESHOLD_MS).state is State.WAITS
    of = found(event_record(1), FAILED, REDRIVEN, late)
    assert conclude(of, THRESHOLD_MS).state is State.FAILED


def test_every_state_is_one_of_these() -> None:
    of_legs_alone = {State.UNCONFIRMED}
    assert {case.values[1] for case in CASES} == set(State) - of_legs_alone
