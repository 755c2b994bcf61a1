"""Results as tables in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.suite.figures import CPU, OF_POSSIBLE, RATE, Figure
from benchmarks.suite.results import Run

REACHED = {True: "yes", False: "**no**", None: "too few events to say"}


def goals_table(run: Run) -> str:
    """Every figure that has a goal, in the order of the run, and the scenarios that have none."""
    rows = [
        (
            each.scenario,
            each.contender,
            each.what,
            number(each.value, each.unit),
            spread(each),
            bound(each),
            REACHED[each.reached],
        )
        for each in run.figures
        if each.goal is not None
    ]
    failures = "".join(f"\n\nFailed: {each}" for each in run.failures)
    return table(("", "of", "what", "median", "spread", "goal", "reached"), rows) + failures


def contenders_table(run: Run) -> str:
    """What each contender did, scenario by scenario, without the ratios."""
    rows = [
        (each.scenario, each.contender, each.what, number(each.value, each.unit), spread(each))
        for each in run.figures
        if ", over " not in each.what
    ]
    return table(("", "of", "what", "median", "spread"), rows)


def sweep_table(run: Run, scenario: str) -> str:
    """A row for each point: rates, and the worker's cost."""
    figures = [each for each in run.figures if each.scenario == scenario]
    shown = [
        what for what in (RATE, CPU, OF_POSSIBLE) if any(each.what == what for each in figures)
    ]
    contenders = list(dict.fromkeys(each.contender for each in figures))
    columns = [(name, what) for what in shown for name in contenders]
    values = {(each.at, each.contender, each.what): each for each in figures}
    rows = []
    for at in dict.fromkeys(each.at for each in figures):
        cells = [values.get((at, *column)) for column in columns]
        rows.append(
            (f"{at:,.3g}" if at is not None and at < 1 else f"{at:,.0f}", *map(_cell, cells))
        )
    return table(("", *(f"{name}: {what}" for name, what in columns)), rows)


def number(value: float, unit: str) -> str:
    """With three figures, or all before the point; the unit behind it."""
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def spread(figure: Figure) -> str:
    if len(figure.rounds) == 1:
        return "one round"
    return " to ".join(number(each, "") for each in figure.spread)


def bound(figure: Figure) -> str:
    assert figure.goal is not None
    return f"{'≤' if figure.goal_is_most else '≥'} {number(figure.goal, figure.unit)}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(figure: Figure | None) -> str:
    return "" if figure is None else number(figure.value, figure.unit)
