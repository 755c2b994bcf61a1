"""Tables of plain text, made a line at a time, because the next row may be an hour away. A line
wider than the terminal stays one line, for the programs that read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streams.cli.printable import CELL_LENGTH, printable

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """``width``: cells are padded to it; a wider cell pushes its own line aside. ``most``: cells
    are cut to that many characters."""

    heading: str
    width: int
    most: int = CELL_LENGTH


def heading_line(columns: Sequence[Column]) -> str:
    return GAP.join(column.heading.ljust(column.width) for column in columns).rstrip()


def row_line(columns: Sequence[Column], cells: Iterable[object]) -> str:
    """One row, as one line that is safe for a terminal, whatever the cells hold."""
    shown = (
        printable(cell, column.most).ljust(column.width)
        for cell, column in zip(cells, columns, strict=True)
    )
    return GAP.join(shown).rstrip()


def as_wide_as(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> tuple[Column, ...]:
    """Columns for rows that are all known, each as wide as its widest cell."""
    return tuple(
        Column(
            heading, max(map(len, [heading, *(printable(row[at], CELL_LENGTH) for row in rows)]))
        )
        for at, heading in enumerate(headings)
    )
