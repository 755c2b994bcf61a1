"""Tables of plain text: lines of columns, whatever the cells hold."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streams.cli.columns import Column, as_wide_as, heading_line, row_line

COLUMNS = (Column("NAME", 6), Column("WHY", 5, most=5), Column("LAST", 9))
ANY_TEXT = st.text(st.characters(codec=None), max_size=20)


def test_cells_stand_below_their_headings() -> None:
    assert heading_line(COLUMNS) == "NAME    WHY    LAST"
    assert row_line(COLUMNS, ("a", 1, None)) == "a       1      -"


def test_what_is_wider_pushes_its_line_aside_or_is_cut() -> None:
    assert row_line(COLUMNS, ("a longer", "a longer", "z")) == "a longer  a lo…  z"


@given(st.lists(ANY_TEXT, min_size=3, max_size=3))
def test_a_row_is_one_printable_line(cells: list[str]) -> None:
    assert row_line(COLUMNS, cells).isprintable()
    assert row_line(as_wide_as(("A", "B", "C"), [cells]), cells).isprintable()


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="argument"):
        row_line(COLUMNS, ("a", "b"))


def test_columns_are_as_wide_as_their_widest_cell_is_when_shown() -> None:
    columns = as_wide_as(("A", "HEADING"), [("abc", 1), ("\x1b", 2)])
    assert columns == (Column("A", 4), Column("HEADING", 7))
    assert as_wide_as(("A", "B"), []) == (Column("A", 1), Column("B", 1))
