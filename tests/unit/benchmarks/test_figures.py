from __future__ import annotations

import pytest

from benchmarks.suite.figures import ADDED_P99, CPU, RATE, Figure, Goal, Ratio, figures

ROUNDS = [
    {"worker": {RATE: 100.0, CPU: 0.2}, "other": {RATE: 50.0, CPU: 0.4}},
    {"worker": {RATE: 300.0, CPU: 0.1}, "other": {RATE: 100.0, CPU: 0.5}},
    {"worker": {RATE: 90.0, CPU: 0.3}, "other": {RATE: 90.0, CPU: 0.6}},
]


def by_name(found: list[Figure]) -> dict[tuple[str, str], Figure]:
    return {(each.what, each.contender): each for each in found}


def test_a_figure_is_the_median_of_the_rounds_with_their_spread() -> None:
    rate = by_name(figures("s", ROUNDS))[(RATE, "worker")]
    assert (rate.value, rate.spread, rate.rounds) == (100, (90, 300), (100, 300, 90))
    assert (rate.unit, rate.scenario, rate.goal, rate.reached) == ("1/s", "s", None, None)


def test_a_ratio_is_taken_within_each_round() -> None:
    """The ratio of the medians would be 100 / 90."""
    ratio = Ratio(RATE, "worker", "other")
    found = by_name(figures("s", ROUNDS, ratios=[ratio]))[("events a second, over other", "worker")]
    assert (found.rounds, found.value, found.unit) == ((2, 3, 1), 2, "")


@pytest.mark.parametrize(
    ("goal", "reached"),
    [
        (Goal(RATE, "worker", 100), True),
        (Goal(RATE, "worker", 101), False),
        (Goal(CPU, "worker", 0.2, at_most=True), True),
        (Goal(CPU, "worker", 0.19, at_most=True), False),
        (Goal("events a second, over other", "worker", 2), True),
    ],
)
def test_a_goal_is_held_against_the_median(goal: Goal, reached: bool) -> None:
    found = figures("s", ROUNDS, ratios=[Ratio(RATE, "worker", "other")], goals=[goal])
    figure = by_name(found)[(goal.what, goal.contender)]
    assert (figure.goal, figure.goal_is_most, figure.reached) == (goal.bound, goal.at_most, reached)
    assert [each for each in found if each.goal is not None] == [figure]


def test_a_goal_of_something_that_is_not_measured_is_an_error() -> None:
    with pytest.raises(KeyError, match="added latency"):
        figures("s", ROUNDS, goals=[Goal(ADDED_P99, "worker", 1)])
