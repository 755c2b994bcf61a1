"""docs/performance.md says what the results say."""

from __future__ import annotations

import msgspec

from benchmarks.goals import scenarios
from benchmarks.harness import ROOT
from benchmarks.performance import DOCUMENT, IMAGES, MARKED, NONE, images, pointed, rendered
from benchmarks.suite.figures import CPU, RATE
from benchmarks.suite.figures import figures as figures_of
from benchmarks.suite.results import Run, read, write
from benchmarks.suite.run import Size
from benchmarks.sweeps import SWEEPS

TEXT = DOCUMENT.read_text()


def test_every_figure_is_that_of_the_results() -> None:
    """`python -m benchmarks.performance` writes them anew."""
    assert rendered(TEXT) == TEXT


def test_what_is_changed_by_hand_is_noticed() -> None:
    changed = TEXT.replace("<!-- end -->", "by hand\n<!-- end -->")
    assert changed != TEXT
    assert rendered(changed) == TEXT


def test_every_sweep_is_shown_with_its_plot() -> None:
    shown = {mark["name"]: mark for mark in MARKED.finditer(TEXT) if mark["kind"] == "sweep"}
    assert shown.keys() == {each.name for each in SWEEPS}
    for name, mark in shown.items():
        assert (f"images/sweep-{name}.svg" in mark[0]) is (mark["file"] != NONE)


def test_a_plot_is_of_the_results_that_stand_beside_it() -> None:
    """Not byte for byte: another version of the library draws the same figures otherwise."""
    for image, (_, file) in images(TEXT).items():
        assert file in image.read_text()


def test_a_plot_names_its_results_and_is_the_same_each_time() -> None:
    from benchmarks.suite import plots  # a second to import, for this test alone

    sweep = SWEEPS[0]
    figures = [
        each
        for at in sweep.points
        for each in figures_of(sweep.name, [{"worker": {RATE: 100.0 + at, CPU: 0.1}}], at=at)
    ]

    def drawn() -> str:
        return plots.sweep_plot(
            figures, sweep.axis, logarithmic=sweep.logarithmic, source="some.json"
        )

    once = drawn()
    assert "some.json" in once
    assert sweep.axis in once
    assert drawn() == once


def test_no_image_of_a_sweep_is_left_over() -> None:
    assert set(IMAGES.glob("sweep-*.svg")) == images(TEXT).keys()


def test_marks_are_pointed_at_another_run_if_it_has_their_figures() -> None:
    run = Run.begin("sweeps", 1.0)
    found = figures_of("x", [{"worker": {RATE: 1.0}}])
    file = write(msgspec.structs.replace(run, figures=tuple(found)), ROOT / ".cache" / "trial")
    goals, x, y = (
        f"<!-- {mark}: none -->\n<!-- end -->" for mark in ("goals", "sweep x", "sweep y")
    )
    other = pointed("\n".join((goals, x, y)), ("sweep",), file)
    file.unlink()
    assert other.split("\n<!-- end -->") == [
        goals.partition("\n")[0],
        f"\n<!-- sweep x: .cache/trial/{file.name} -->",
        f"\n{y.partition(chr(10))[0]}",
        "",
    ]


def test_every_scenario_is_explained() -> None:
    names = {each.name for each in scenarios(Size(1.0, 3))}
    assert {name for name in names if f"`{name}`" not in TEXT} == set()


def test_the_document_shows_every_goal_or_why_it_has_no_figure() -> None:
    (file,) = {mark["file"] for mark in MARKED.finditer(TEXT) if mark["kind"] == "goals"}
    run = read(ROOT / file)
    failed = {each.partition(":")[0] for each in run.failures}
    wanted = {
        (each.name, goal.what, goal.contender, goal.bound)
        for each in scenarios(Size(1.0, 3))
        for goal in each.goals
        if each.name not in failed
    }
    shown = {
        (each.scenario, each.what, each.contender, each.goal)
        for each in run.figures
        if each.goal is not None
    }
    assert shown == wanted
