"""When a worker stops rather than dead-letter everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.worker.dead_letter_limit import FEWEST_DEAD, WINDOW_SECONDS, DeadLetterLimit


def counted(limit: float, *, dead: int, alive: int, seconds: float = 0.0) -> DeadLetterLimit:
    dead_letter_limit = DeadLetterLimit(limit)
    number = dead + alive
    for nth in range(number):
        now = 1000 + seconds * nth / number
        # Spread evenly, so that every window has its share of them.
        died = (nth + 1) * dead // number > nth * dead // number
        dead_letter_limit.count("forbidden" if died else None, now)
    return dead_letter_limit


def test_above_the_limit_it_says_why_and_what_to_do() -> None:
    passed = counted(0.5, dead=60, alive=20).passed

    assert passed is not None
    assert "forbidden" in passed
    assert "DEAD_LETTER_LIMIT" in passed
    assert "redrive" in passed


def test_a_few_prove_nothing() -> None:
    assert counted(0.5, dead=FEWEST_DEAD - 1, alive=0).passed is None
    assert counted(0.5, dead=FEWEST_DEAD, alive=0).passed is not None


def test_below_the_limit_it_goes_on() -> None:
    assert counted(0.5, dead=400, alive=600).passed is None


def test_a_limit_of_1_is_none() -> None:
    assert counted(1.0, dead=1000, alive=0).passed is None


def test_what_is_long_ago_counts_no_more() -> None:
    slow = counted(0.5, dead=FEWEST_DEAD * 2, alive=0, seconds=WINDOW_SECONDS * 4)

    assert slow.passed is None


def test_once_passed_it_stays_passed() -> None:
    dead_letter_limit = counted(0.5, dead=FEWEST_DEAD, alive=0)
    for second in range(1000):
        dead_letter_limit.count(None, 2000 + second)

    assert dead_letter_limit.passed is not None


@given(st.lists(st.floats(0, 10), max_size=300))
def test_memory_is_bounded_by_the_window(pauses: list[float]) -> None:
    dead_letter_limit, now = DeadLetterLimit(0.5), 0.0
    for pause in pauses:
        now += pause
        dead_letter_limit.count(None, now)

    assert len(list(dead_letter_limit._asked.newest_first())) <= WINDOW_SECONDS + 1
