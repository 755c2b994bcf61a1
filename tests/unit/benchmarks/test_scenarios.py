"""The scenarios of the goals and the sweeps, as they would run."""

from __future__ import annotations

import pytest

from benchmarks.goals import scenarios
from benchmarks.suite.run import QUICK, Size
from benchmarks.suite.scenario import Scenario
from benchmarks.suite.trials import Throughput
from benchmarks.sweeps import SWEEPS

SIZES = [Size(1.0, 3), Size(QUICK, 1), Size(0.001, 1)]


def all_scenarios(size: Size) -> list[Scenario]:
    return [*scenarios(size), *(each for sweep in SWEEPS for each in sweep.scenarios(size))]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_ratios_are_of_contenders_that_take_part(size: Size) -> None:
    for each in all_scenarios(size):
        for ratio in each.ratios:
            assert {ratio.contender, ratio.over} <= set(each.trials), each.title


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_rate_has_more_events_than_the_two_waves_it_needs(size: Size) -> None:
    for scenario in all_scenarios(size):
        for name, trial in scenario.trials.items():
            if isinstance(trial, Throughput):
                wave = trial.conditions.processes * trial.conditions.in_flight
                assert trial.load.events >= 2 * wave, (scenario.title, name)


def test_a_whole_run_has_the_sizes_of_the_goals() -> None:
    by_name = {each.name: each for each in scenarios(Size(1.0, 3))}
    trial = by_name["no-calls"].trials["worker"]
    assert isinstance(trial, Throughput)
    assert (trial.load.events, trial.conditions.partitions) == (80_000, 12)
    mixed = by_name["one-call-in-nine"].trials["worker"]
    assert isinstance(mixed, Throughput)
    assert mixed.load.events == 9 * mixed.load.gets


def test_sweeps_reach_as_far_as_they_are_meant_to() -> None:
    reach = {each.name: (min(each.points), max(each.points)) for each in SWEEPS}
    assert reach == {
        "keys": (1e3, 1e6),
        "partitions": (1, 64),
        "workers": (1, 4),
        "share-of-calls": (0, 1),
        "latency": (1, 500),
        "in-flight": (10, 1_000),
    }


@pytest.mark.parametrize("share", [0, 1 / 32, 1 / 9, 1 / 4, 1 / 2, 1])
def test_the_share_of_calls_is_what_the_axis_says(share: float) -> None:
    (sweep,) = (each for each in SWEEPS if each.name == "share-of-calls")
    load, _ = sweep.load(share, Size(1.0, 1))
    assert load.gets / load.events == pytest.approx(share)


def test_keys_are_as_many_as_the_axis_says() -> None:
    (sweep,) = (each for each in SWEEPS if each.name == "keys")
    assert [sweep.load(point, Size(1.0, 1))[0].interactions for point in sweep.points] == [
        *(1_000, 10_000, 100_000, 1_000_000)
    ]
