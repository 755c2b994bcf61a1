"""How times and values look on a page."""

from __future__ import annotations

import pytest

from streams.console.pages.rendering import RAW_LENGTH, ago, as_json, lasting


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (0, "now"),
        (999, "now"),
        (3_400, "3 s ago"),
        (250_000, "4 min ago"),
        (-90_000, "in 1 min"),
        (90_000_000, "1 d ago"),
    ],
)
def test_apart_is_one_unit(apart: int, said: str) -> None:
    assert ago(1_000_000_000 - apart, 1_000_000_000) == said


@pytest.mark.parametrize(
    ("ms", "said"), [(None, "-"), (0, "0 ms"), (0.4, "<1 ms"), (1.2, "1 ms"), (61_000, "1 min 1 s")]
)
def test_a_decision_that_took_almost_nothing_took_something(ms: float | None, said: str) -> None:
    assert lasting(ms) == said


def test_what_is_long_is_cut() -> None:
    assert len(as_json("x" * 50_000)) <= RAW_LENGTH + 2
