"""Why a record waits, in one word."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streams.core.stuck import Cause, Hold, Stage, State, Where, Why, why

OPEN = Hold(Cause.BREAKER, 12.0)
PACED = Hold(Cause.BUDGET, 0.2)


@pytest.mark.parametrize(
    ("state", "hold", "told"),
    [
        (State(Where.WORKED_ON, Stage.GATE), OPEN, Why(Cause.BREAKER, 12.0)),
        (State(Where.WORKED_ON, Stage.GATE), Hold(Cause.GATE, 9.0), Why(Cause.GATE, 9.0)),
        (State(Where.WORKED_ON, Stage.GATE), PACED, Why(Cause.BUDGET, 0.2)),
        (State(Where.WORKED_ON, Stage.GATE), None, Why(Cause.BUDGET, 0.0)),
        (State(Where.WORKED_ON, Stage.TOKEN), OPEN, Why(Cause.BREAKER, 12.0)),
        (State(Where.WORKED_ON, Stage.TOKEN), PACED, Why(Cause.TOKEN)),
        (State(Where.WORKED_ON, Stage.SENT), OPEN, Why(Cause.CALL)),
        (State(Where.WORKED_ON, Stage.REST), None, Why(Cause.RETRY)),
        (State(Where.WORKED_ON), OPEN, Why(Cause.KAFKA)),
        (State(Where.GROUP), OPEN, Why(Cause.KAFKA)),
        (State(Where.BEHIND), OPEN, Why(Cause.LANE)),
        (State(Where.NO_SLOT), OPEN, Why(Cause.SLOT)),
        (State(Where.ROOM, due_in=7.0), OPEN, Why(Cause.PUT_OFF, 7.0)),
        (State(Where.ROOM, due_in=7.0, planned=True), OPEN, Why(Cause.AGENT, 7.0)),
        (State(Where.ROOM, due_in=-1.0, planned=True), OPEN, Why(Cause.SLOT)),
        (State(Where.NOWHERE), None, Why(Cause.UNKNOWN)),
    ],
)
def test_in_one_word(state: State, hold: Hold | None, told: Why) -> None:
    assert why(state, hold, stopped=False) == told


@pytest.mark.parametrize("where", [Where.BEHIND, Where.NO_SLOT, Where.NOWHERE])
def test_once_too_many_have_failed_nothing_is_begun_any_more(where: Where) -> None:
    assert why(State(where), None, stopped=True).cause is Cause.FAILURES


@given(
    st.builds(
        State,
        st.sampled_from(Where),
        st.sampled_from(Stage),
        st.floats(-100, 100),
        st.booleans(),
    ),
    st.none() | st.builds(Hold, st.sampled_from(Cause), st.none() | st.floats(0, 100)),
    st.booleans(),
)
def test_there_is_a_word_for_any_state_and_no_next_try_is_in_the_past(
    state: State, hold: Hold | None, stopped: bool
) -> None:
    told = why(state, hold, stopped=stopped)
    assert told.next_in is None or told.next_in >= 0
    assert (told.cause is Cause.UNKNOWN) == (state.where is Where.NOWHERE and not stopped)
