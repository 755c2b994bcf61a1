"""docs/performance.md says what the results say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.goals import scenarios
from benchmarks.performance import DOCUMENT, IMAGES, MARKED, plots, pointed, rendered
from benchmarks.suite.results import RESULTS, read
from benchmarks.suite.run import Size
from benchmarks.sweeps import SWEEPS

TEXT = DOCUMENT.read_text()


def test_every_figure_is_that_of_the_results() -> None:
    """`python -m benchmarks.performance` writes them anew."""
    assert rendered(TEXT) == TEXT


def test_what_is_changed_by_hand_is_noticed() -> None:
    changed = re.sub(r"\| (≥|≤)", r"| about \1", TEXT, count=1)
    assert changed != TEXT
    assert rendered(changed) == TEXT


def test_every_sweep_is_shown_with_its_plot() -> None:
    shown = {mark["name"] for mark in MARKED.finditer(TEXT) if mark["kind"] == "sweep"}
    assert shown == {each.name for each in SWEEPS}
    assert all(f"images/sweep-{name}.svg" in TEXT for name in shown)


@pytest.mark.parametrize("image", sorted(plots(TEXT)), ids=lambda path: path.name)
def test_a_plot_is_of_the_results_that_stand_beside_it(image: Path) -> None:
    """Not byte for byte: another version of the library draws the same figures otherwise."""
    (file,) = {
        mark["file"] for mark in MARKED.finditer(TEXT) if f"sweep-{mark['name']}.svg" == image.name
    }
    assert file in image.read_text()
    assert file in plots(TEXT)[image]


def test_a_plot_is_the_same_each_time() -> None:
    assert plots(TEXT) == plots(TEXT)


def test_no_image_of_a_sweep_is_left_over() -> None:
    assert set(IMAGES.glob("sweep-*.svg")) == set(plots(TEXT))


def test_marks_are_pointed_at_another_run() -> None:
    text = "<!-- goals: a.json -->\n<!-- end -->\n<!-- sweep x: b.json -->\n<!-- end -->"
    other = pointed(text, ("sweep",), RESULTS / "c.json")
    assert other == text.replace("b.json", "benchmarks/results/c.json")


def test_every_scenario_is_explained() -> None:
    names = {each.name for each in scenarios(Size(1.0, 3))}
    assert {name for name in names if f"`{name}`" not in TEXT} == set()


def test_the_document_shows_a_run_with_every_goal() -> None:
    (file,) = {mark["file"] for mark in MARKED.finditer(TEXT) if mark["kind"] == "goals"}
    wanted = {
        (each.name, goal.what, goal.contender, goal.bound)
        for each in scenarios(Size(1.0, 3))
        for goal in each.goals
    }
    run = read(RESULTS.parents[1] / file)
    shown = {
        (each.scenario, each.what, each.contender, each.goal)
        for each in run.figures
        if each.goal is not None
    }
    assert shown == wanted
