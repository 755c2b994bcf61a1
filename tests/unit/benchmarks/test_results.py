from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from benchmarks.suite.figures import RATE, Figure, Goal, Ratio, figures
from benchmarks.suite.results import RESULTS, Machine, Run, commit, read, write
from benchmarks.suite.run import Size, judged
from benchmarks.suite.tables import goals_table, number, sweep_table

ROUNDS = [{"a": {RATE: 100.0}, "b": {RATE: 50.0}}, {"a": {RATE: 1e6}, "b": {RATE: 1e6 / 3}}]
RUN = Run(
    "goals",
    datetime(2026, 1, 5, 8, 30, tzinfo=UTC),
    "0123456789",
    1.0,
    Machine(2, 24, "3.11.7"),
    tuple(
        figures(
            "s", ROUNDS, ratios=[Ratio(RATE, "a", "b")], goals=[Goal(f"{RATE}, over b", "a", 3)]
        )
    ),
    ("t: stuck",),
)


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = write(RUN, tmp_path)
    assert file.name == "2026-01-05T0830-goals-0123456.json"
    assert read(file) == RUN


def test_the_file_says_what_contender_value_unit_spread_goal_and_commit(tmp_path: Path) -> None:
    content = json.loads(write(RUN, tmp_path).read_text())
    assert content["commit"] == "0123456789"
    assert content["figures"][-1] == {
        "scenario": "s",
        "what": "events a second, over b",
        "contender": "a",
        "value": 2.5,
        "unit": "",
        "spread": [2.0, 3.0],
        "rounds": [2.0, 3.0],
        "goal": 3,
        "reached": False,
    }


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text("{}")
    with pytest.raises(msgspec.ValidationError):
        read(file)


def test_the_commit_is_that_of_this_checkout() -> None:
    assert len(commit().removesuffix("+changes")) == 40


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.name)
def test_every_results_file_can_be_read(file: Path) -> None:
    run = read(file)
    assert run.file_name == file.name
    assert run.figures


def test_the_table_of_goals_has_those_figures_alone_and_what_failed() -> None:
    assert goals_table(RUN).splitlines()[2:] == [
        "| s | a | events a second, over b | 2.5 | 2 to 3 | ≥ 3 | **no** |",
        "",
        "Failed: t: stuck",
    ]


def test_a_sweep_has_a_row_for_each_point() -> None:
    some = [each for each in RUN.figures if each.what == RATE]
    points = [msgspec.structs.replace(each, at=at) for at in (0.125, 1_000) for each in some]
    assert sweep_table(msgspec.structs.replace(RUN, figures=tuple(points)), "s").splitlines() == [
        "|  | a: events a second | b: events a second |",
        "| --- | --- | --- |",
        "| 0.125 | 500,050 1/s | 166,692 1/s |",
        "| 1,000 | 500,050 1/s | 166,692 1/s |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04951, "0.0495 ms"), (1.0, "1 ms"), (99.94, "99.9 ms"), (12_345.6, "12,346 ms")],
)
def test_numbers_have_three_figures_or_all_before_the_point(value: float, text: str) -> None:
    assert number(value, "ms") == text


def test_a_figure_of_one_round_has_no_spread() -> None:
    once = Figure("s", RATE, "a", 7.0, "1/s", (7.0, 7.0), (7.0,), goal=7, reached=True)
    run = msgspec.structs.replace(RUN, figures=(once,))
    assert "| 7 1/s | one round | ≥ 7 1/s | yes |" in goals_table(run)


@pytest.mark.parametrize(("share", "cell"), [(1.0, "**no**"), (0.1, "too few events to say")])
def test_only_a_whole_run_is_judged(share: float, cell: str) -> None:
    found = judged(RUN.figures, Size(share, 1))
    assert [each.value for each in found] == [each.value for each in RUN.figures]
    assert f"| {cell} |" in goals_table(msgspec.structs.replace(RUN, figures=tuple(found)))
