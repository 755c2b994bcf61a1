"""Lengths of time for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.lengths import length


@pytest.mark.parametrize(
    ("ms", "shown"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.4, "0 ms"),
        (-0.2, "0 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (12_340, "12.3 s"),
        (30_000, "30 s"),
        (59_999, "59.9 s"),
        (60_000, "1 min"),
        (250_000, "4 min 10 s"),
        (3_600_000, "1 h"),
        (7_500_000, "2 h 5 min"),
        (30_084_202_569, "348 d 4 h"),
        (-61_000, "-1 min 1 s"),
    ],
)
def test_a_length_is_shown_in_the_units_of_a_person(ms: float | None, shown: str) -> None:
    assert length(ms) == shown


@given(st.floats(-1e18, 1e18))
def test_any_length_is_short(ms: float) -> None:
    assert len(length(ms)) < 24
