"""Percentiles of lengths of time, from bins."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.console.index.counts import bin_of, percentiles


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_right_to_within_five_percent(took: list[float], share: float) -> None:
    bins: dict[int, int] = {}
    for each in took:
        bins[bin_of(each)] = bins.get(bin_of(each), 0) + 1
    (found,) = percentiles(bins, [share])
    right = sorted(took)[math.ceil(share * len(took)) - 1]
    assert found == pytest.approx(right, rel=0.06)


@pytest.mark.parametrize("ms", [-5.0, 0.0, 0.9, math.inf, math.nan])
def test_what_is_no_length_is_less_than_a_millisecond(ms: float) -> None:
    assert bin_of(ms) == 0


def test_without_any_there_is_none() -> None:
    assert percentiles({}, (0.5, 0.99)) == [None, None]
