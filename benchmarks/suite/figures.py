"""Figures: medians of rounds, their spread, and the goals that some have. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

# One round of a scenario: what each contender measured, by the measure's name.
Round = Mapping[str, Mapping[str, float]]

# Units by the measure's name; what is over something else has none.
UNITS = {
    "events a second": "1/s",
    "CPU an event": "ms",
    "of what is possible": "",
    "restored a second": "1/s",
    "ready on an empty disk": "s",
    "ready on the disk it has": "s",
    "added latency, median": "ms",
    "added latency, 99 %": "ms",
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
        (what, contender): _figure(
            scenario, what, contender, unit, values, at, by_name.get((what, contender))
        )
        for what, contender, unit, values in _series(rounds, ratios)
    }
    if lost := by_name.keys() - found.keys():
        raise KeyError(f"{scenario}: goals of figures that it has not: {sorted(lost)}")
    return list(found.values())


def _series(
    rounds: Sequence[Round], ratios: Sequence[Ratio]
) -> Iterator[tuple[str, str, str, list[float]]]:
    for contender, measured in rounds[0].items():
        for what in measured:
            yield what, contender, UNITS[what], [each[contender][what] for each in rounds]
    for ratio in ratios:
        values = [
            each[ratio.contender][ratio.measure] / each[ratio.over][ratio.measure]
            for each in rounds
        ]
        yield ratio.what, ratio.contender, "", values


def _figure(
    scenario: str,
    what: str,
    contender: str,
    unit: str,
    values: Sequence[float],
    at: float | None,
    goal: Goal | None,
) -> Figure:
    median = statistics.median(values)
    return Figure(
        scenario=scenario,
        what=what,
        contender=contender,
        value=median,
        unit=unit,
        spread=(min(values), max(values)),
        rounds=tuple(values),
        at=at,
        goal=goal.bound if goal else None,
        goal_is_most=goal.at_most if goal else False,
        reached=goal.reached(median) if goal else None,
    )
