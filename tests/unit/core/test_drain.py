"""When all that waits will be done."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streams.core.drain import DAY_SECONDS, Due, drained_after, within_a_day


def test_what_waits_times_what_it_takes_by_what_is_allowed() -> None:
    assert drained_after([Due(3120 * 2)], per_minute=300) == pytest.approx(3120 * 2 / 300 * 60)


def test_nothing_is_done_at_once_whatever_holds_requests_back() -> None:
    assert drained_after([], per_minute=300, held=30) == 0
    assert drained_after([Due(0, 100)], per_minute=300, held=30) == 0


def sent_one_by_one(dues: list[Due], per_minute: int, held: float) -> float:
    """When the last one has had its turn, each in the order in which they may go."""
    now = held
    for due in sorted(dues, key=lambda each: each.after):
        for _ in range(round(due.requests)):
            now = max(now, due.after) + 60 / per_minute
    return now


@given(
    st.lists(
        st.builds(Due, st.integers(1, 20).map(float), st.floats(0, 3600)), min_size=1, max_size=30
    ),
    st.integers(1, 6000),
    st.floats(0, 600),
)
def test_with_a_constant_budget_it_is_right_within_a_request(
    dues: list[Due], per_minute: int, held: float
) -> None:
    told = drained_after(dues, per_minute=per_minute, held=held)
    assert abs(told - sent_one_by_one(dues, per_minute, held)) <= 60 / per_minute


@pytest.mark.parametrize(
    ("age", "seconds", "within"),
    [
        (None, math.inf, True),
        (0.0, DAY_SECONDS, True),
        (1.0, DAY_SECONDS, False),
        (DAY_SECONDS, 0.0, True),
        (0.0, math.inf, False),
    ],
)
def test_within_eventbridges_day(age: float | None, seconds: float, within: bool) -> None:
    assert within_a_day(age, seconds) is within
