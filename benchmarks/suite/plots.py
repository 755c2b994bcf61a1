"""Sweeps as plots in SVG: the same figures always give the same file."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks.suite.figures import CPU, OF_POSSIBLE, RATE, UNITS, Figure

# What an SVG would otherwise have of its own each time: ids drawn at random.
HASH_SALT = "genesys-streams"

INCHES = (9.0, 3.6)


def sweep_plot(figures: Sequence[Figure], axis: str, *, logarithmic: bool, source: str) -> str:
    """Rate and CPU of each contender over the sweep's axis, with the spread of the rounds. The SVG
    names ``source``, the file of the results, in its metadata."""
    with mpl.rc_context({"svg.hashsalt": HASH_SALT, "svg.fonttype": "none"}):
        canvas = Canvas(figsize=INCHES, layout="constrained")
        for axes, what in zip(canvas.subplots(1, 2), (RATE, CPU), strict=True):
            _lines(axes, [each for each in figures if each.what == what])
            if what == RATE:
                _possible(axes, figures)
            if logarithmic:
                axes.set_xscale("log")
            axes.set_xlabel(axis)
            axes.set_title(what if what == RATE else f"{what}, {UNITS[what]}")
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
            axes.legend()
        svg = io.StringIO()
        canvas.savefig(svg, format="svg", metadata={"Date": None, "Source": source})
    return svg.getvalue()


def _lines(axes: Axes, figures: Sequence[Figure]) -> None:
    for name in dict.fromkeys(each.contender for each in figures):
        points = [each for each in figures if each.contender == name]
        below = [each.value - each.spread[0] for each in points]
        above = [each.spread[1] - each.value for each in points]
        axes.errorbar(
            [each.at or 0.0 for each in points],
            [each.value for each in points],
            yerr=(below, above),
            marker="o",
            capsize=3,
            label=name,
        )


def _possible(axes: Axes, figures: Sequence[Figure]) -> None:
    """What the time of the API's answers allows, where that is less than twice what was reached:
    far above, it would press all lines to the ground."""
    rates = {(each.at, each.contender): each.value for each in figures if each.what == RATE}
    possible = {
        each.at or 0.0: rates[(each.at, each.contender)] / each.value
        for each in figures
        if each.what == OF_POSSIBLE
    }
    top = 1.5 * max(rates.values())
    shown = [(at, value) for at, value in sorted(possible.items()) if value <= top]
    if shown:
        axes.plot(*zip(*shown, strict=True), "--", color="grey", label="what the API allows")
