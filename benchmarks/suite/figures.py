"""Figures: medians of rounds, their spread, and the goals that some have. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

# One round of a scenario: what each contender measured, by the measure's name.
Round = Mapping[str, Mapping[str, float]]

# What is measured.
RATE = "events a second"
CPU = "CPU an event"
OF_POSSIBLE = "of what is possible"
RESTORED = "restored a second"
ADDED_MEDIAN = "added latency, median"
ADDED_P99 = "added latency, 99 %"
RESIDENT = "resident at the end"
PEAK = "resident at most"
GROWTH = "resident, peak over early"

# Units by the measure's name; what is over something else has none.
UNITS = {
    RATE: "1/s",
    CPU: "ms",
    OF_POSSIBLE: "",
    RESTORED: "1/s",
    ADDED_MEDIAN: "ms",
    ADDED_P99: "ms",
    RESIDENT: "MiB",
    PEAK: "MiB",
    GROWTH: "",
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """A measure of one contender over the same measure of another, in the same round: what the
    machine does meanwhile strikes both."""

    measure: str
    contender: str
    over: str

    @property
    def what(self) -> str:
        return f"{self.measure}, over {self.over}"


@dataclass(frozen=True, slots=True)
class Goal:
    """What the median of a figure has to reach. ``at_most``: the lower the better."""

    what: str
    contender: str
    bound: float
    at_most: bool = False

    def reached(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound


class Figure(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One figure of a run, as the results file has it. ``value`` is the median of ``rounds``,
    ``spread`` its lowest and highest. ``at``: where on the axis of a sweep."""

    scenario: str
    what: str
    contender: str
    value: float
    unit: str
    spread: tuple[float, float]
    rounds: tuple[float, ...]
    at: float | None = None
    goal: float | None = None
    goal_is_most: bool = False
    reached: bool | None = None


def figures(
    scenario: str,
    rounds: Sequence[Round],
    *,
    ratios: Sequence[Ratio] = (),
    goals: Sequence[Goal] = (),
    at: float | None = None,
) -> list[Figure]:
    """Every measure of every contender, then the ratios. Raises KeyError for a goal of nothing."""
    by_name = {(goal.what, goal.contender): goal for goal in goals}
    found = {
        (each.what, each.contender): _figure(
            scenario, each, at=at, goal=by_name.get((each.what, each.contender))
        )
        for each in _series(rounds, ratios)
    }
    if lost := by_name.keys() - found.keys():
        raise KeyError(f"{scenario}: goals of figures that it has not: {sorted(lost)}")
    return list(found.values())


class _Series(NamedTuple):
    """A value of each round."""

    what: str
    contender: str
    unit: str
    values: Sequence[float]


def _series(rounds: Sequence[Round], ratios: Sequence[Ratio]) -> Iterator[_Series]:
    for contender, measured in rounds[0].items():
        for what in measured:
            values = [each[contender][what] for each in rounds]
            yield _Series(what, contender, UNITS[what], values)
    for ratio in ratios:
        values = [
            each[ratio.contender][ratio.measure] / each[ratio.over][ratio.measure]
            for each in rounds
        ]
        yield _Series(ratio.what, ratio.contender, "", values)


def _figure(scenario: str, series: _Series, *, at: float | None, goal: Goal | None) -> Figure:
    median = statistics.median(series.values)
    return Figure(
        scenario=scenario,
        what=series.what,
        contender=series.contender,
        value=median,
        unit=series.unit,
        spread=(min(series.values), max(series.values)),
        rounds=tuple(series.values),
        at=at,
        goal=goal.bound if goal else None,
        goal_is_most=goal.at_most if goal else False,
        reached=goal.reached(median) if goal else None,
    )
