"""Line charts as SVG, written by hand: they look right on a light page and on a dark one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 820
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 44, 44
PANEL_HEIGHT, PANEL_GAP = 170, 56

# More points than pixels only make the file longer.
MOST_POINTS = 600

# GitHub shows an SVG as an image: it can not inherit the page's colours, but it knows the mode.
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #57606a }
  .title { font-weight: 600; font-size: 13px; fill: #1f2328 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .line { fill: none; stroke-width: 1.8; stroke-linejoin: round }
  .s0 { stroke: #0969da } .s1 { stroke: #bc4c00 }
  .k0 { fill: #0969da } .k1 { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 } .title { fill: #f0f6fc } .grid { stroke: #3d444d }
    .s0 { stroke: #58a6ff } .s1 { stroke: #f0883e } .k0 { fill: #58a6ff } .k1 { fill: #f0883e }
  }
"""


@dataclass(frozen=True, slots=True)
class Series:
    """One line; as many values as the chart has abscissae."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share an axis from 0. At most two: there is a colour for no more."""

    title: str
    series: Sequence[Series]


def line_chart(x_title: str, x: Sequence[float], panels: Sequence[Panel]) -> str:
    """Panels above one another over the same abscissae, which ascend."""
    height = TOP + len(panels) * (PANEL_HEIGHT + PANEL_GAP) - PANEL_GAP + BOTTOM
    ticks = round_ticks(x[-1])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape('; '.join(panel.title for panel in panels))}</title>",
        f"<style>{STYLE}</style>",
    ]
    for number, panel in enumerate(panels):
        top = TOP + number * (PANEL_HEIGHT + PANEL_GAP)
        parts += _panel(panel, top, x, ticks)
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{height - 8}" text-anchor="middle">{escape(x_title)}</text>'
    )
    return "\n".join([*parts, "</svg>\n"])


def round_ticks(largest: float) -> list[float]:
    """From 0 to the last round number that is not below the largest value, in some five steps."""
    rough = max(largest, 1e-9) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return [step * number for number in range(math.ceil(largest / step) + 1)]


def _panel(panel: Panel, top: int, x: Sequence[float], x_ticks: Sequence[float]) -> list[str]:
    right, bottom = WIDTH - RIGHT, top + PANEL_HEIGHT
    y_ticks = round_ticks(max(max(series.values) for series in panel.series))

    def across(value: float) -> float:
        return LEFT + (right - LEFT) * value / x[-1]

    def down(value: float) -> float:
        return bottom - PANEL_HEIGHT * value / y_ticks[-1]

    parts = [f'<text class="title" x="{LEFT}" y="{top - 16}">{escape(panel.title)}</text>']
    for tick in y_ticks:
        y = down(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts += [
        f'<text x="{across(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>'
        for tick in x_ticks
        if tick <= x[-1]
    ]
    every = math.ceil(len(x) / MOST_POINTS)
    for number, series in enumerate(panel.series):
        points = list(zip(x, series.values, strict=True))
        kept = [*points[::every], points[-1]]
        path = " ".join(f"{across(at):.1f},{down(value):.1f}" for at, value in kept)
        parts.append(f'<polyline class="line s{number}" points="{path}"/>')
    if len(panel.series) > 1:
        parts += _legend(panel.series, right, top - 16)
    return parts


def _legend(series: Sequence[Series], right: int, y: int) -> list[str]:
    parts = []
    for number, one in reversed(list(enumerate(series))):
        parts.append(f'<text x="{right}" y="{y}" text-anchor="end">{escape(one.name)}</text>')
        right -= 7 * len(one.name) + 14
        parts.append(f'<rect class="k{number}" x="{right}" y="{y - 6}" width="10" height="3"/>')
        right -= 16
    return parts
