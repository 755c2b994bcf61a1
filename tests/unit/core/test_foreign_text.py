"""Whatever others wrote becomes one bounded, printable line."""

from __future__ import annotations

import json

import hypothesis.strategies as st
from hypothesis import given

from streams.core.foreign_text import foreign_text

# Lone surrogates too: JSON may bring them, and header bytes that are not UTF-8 come as such.
ANY_TEXT = st.text(st.characters(codec=None), max_size=200)


@given(ANY_TEXT | st.binary(max_size=200), st.integers(1, 40))
def test_it_is_one_printable_line_of_bounded_size(value: str | bytes, most: int) -> None:
    text = foreign_text(value, most)
    assert len(text) <= most
    assert text.isprintable()
    assert len(text.encode()) <= 4 * most
    assert len(json.dumps(text, ensure_ascii=False).encode()) <= 2 + 4 * most


def test_what_can_be_shown_is_kept() -> None:
    assert foreign_text("Zugriff verweigert: “Süd” 東", 100) == "Zugriff verweigert: “Süd” 東"


def test_line_breaks_and_runs_of_blanks_are_one_blank() -> None:
    assert foreign_text(" a\r\n\t b\u2028c ", 100) == "a b c"


def test_escape_sequences_lose_their_escape() -> None:
    assert foreign_text("\x1b[31mred\x9b0m", 100) == "�[31mred�0m"


def test_what_is_too_long_says_that_it_was_cut() -> None:
    assert foreign_text("abcdef", 4) == "abc…"


def test_megabytes_are_cut_before_they_are_read() -> None:
    assert foreign_text(b"x" * 50_000_000, 3) == "xx…"
