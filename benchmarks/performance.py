"""Writes the figures and plots of docs/performance.md from the results of runs.

    python -m benchmarks.performance [--goals FILE] [--sweeps FILE]

Between its marks the document is made here, from the file that each mark names. With an option all
marks of that kind name another file from now on. tests/unit/benchmarks/test_performance.py holds
the document to those files.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from benchmarks.harness import ROOT
from benchmarks.suite.results import Run, read
from benchmarks.suite.tables import contenders_table, goals_table, sweep_table
from benchmarks.sweeps import SWEEPS, Sweep

DOCUMENT = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"

MARKED = re.compile(
    r"<!-- (?P<kind>goals|contenders|sweep)(?: (?P<name>[\w-]+))?: (?P<file>\S+) -->\n"
    r".*?<!-- end -->",
    re.DOTALL,
)


# In a mark: no run has these figures so far.
NONE = "none"


def rendered(text: str) -> str:
    """The document with each marked part as its file has it."""
    return MARKED.sub(_part, text)


def _part(mark: re.Match[str]) -> str:
    begin = mark[0].partition("\n")[0]
    if mark["file"] == NONE:
        return f"{begin}\nNot measured yet.\n<!-- end -->"
    run = read(ROOT / mark["file"])
    return f"{begin}\n{_head(run)}\n\n{_content(run, mark['kind'], mark['name'])}\n<!-- end -->"


def _head(run: Run) -> str:
    """What one has to know of a run before one believes its figures."""
    rounds = max((len(each.rounds) for each in run.figures), default=0)
    return (
        f"{run.began_at:%-d %B %Y}, commit {run.commit[:7]}, {run.machine.cores} cores, "
        f"{run.machine.memory_gib} GiB, Python {run.machine.python}; up to {rounds} "
        f"round{'s' if rounds != 1 else ''} of {run.share:.3g} of the events of a whole run."
    )


def _content(run: Run, kind: str, name: str | None) -> str:
    if kind == "goals":
        return goals_table(run)
    if kind == "contenders":
        return contenders_table(run)
    table = sweep_table(run, name or "")
    return f"![rate and CPU over the condition](images/sweep-{name}.svg)\n\n{table}"


def images(text: str) -> dict[Path, tuple[Sweep, str]]:
    """The plots that the document shows, each with its sweep and the file of its results."""
    sweeps = {each.name: each for each in SWEEPS}
    return {
        IMAGES / f"sweep-{mark['name']}.svg": (sweeps[mark["name"]], mark["file"])
        for mark in MARKED.finditer(text)
        if mark["kind"] == "sweep" and mark["file"] != NONE
    }


def _draw(text: str) -> None:
    from benchmarks.suite.plots import sweep_plot  # a second to import: only who draws pays for it

    IMAGES.mkdir(parents=True, exist_ok=True)
    for image, (sweep, file) in images(text).items():
        figures = [each for each in read(ROOT / file).figures if each.scenario == sweep.name]
        image.write_text(
            sweep_plot(figures, sweep.axis, logarithmic=sweep.logarithmic, source=file)
        )


def pointed(text: str, kinds: tuple[str, ...], file: Path) -> str:
    """The document with the marks of these kinds at another file; those of sweeps that it has not
    stay."""
    name = file.resolve().relative_to(ROOT).as_posix()
    scenarios = {each.scenario for each in read(file).figures}

    def point(mark: re.Match[str]) -> str:
        begin, _, rest = mark[0].partition("\n")
        if mark["kind"] in kinds and (mark["name"] is None or mark["name"] in scenarios):
            begin = begin.replace(f" {mark['file']} -->", f" {name} -->")
        return f"{begin}\n{rest}"

    return MARKED.sub(point, text)


@click.command()
@click.option("--goals", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sweeps", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(goals: Path | None, sweeps: Path | None) -> None:
    text = DOCUMENT.read_text()
    if goals is not None:
        text = pointed(text, ("goals", "contenders"), goals)
    if sweeps is not None:
        text = pointed(text, ("sweep",), sweeps)
    DOCUMENT.write_text(rendered(text))
    _draw(text)


if __name__ == "__main__":
    main()
