"""What comes from outside, on a terminal and in JSON lines."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from streams.cli.printable import json_line, printable, text_of

# Lone surrogates too.
ANY_TEXT = st.text(st.characters(codec=None), max_size=100)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
)


@given(ANY_TEXT, st.none() | st.integers(1, 20))
def test_it_is_one_printable_line_of_bounded_length(text: str, most: int | None) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert most is None or len(shown) <= most


@given(st.binary(max_size=100))
def test_any_bytes_can_be_shown(content: bytes) -> None:
    assert printable(text_of(content)).isprintable()


def test_what_can_not_be_printed_is_escaped() -> None:
    assert printable("\x1b[31mX\n\x9b\u202e\ud83d") == r"\x1b[31mX\n\x9b\u202e\ud83d"
    assert printable(text_of(b"a\xff")) == r"a\xff"


@pytest.mark.parametrize(
    ("text", "shown"), [("abc", "abc"), ("abcd", "ab…"), ("\x1b", r"\x…"), (None, "-")]
)
def test_what_is_too_long_is_cut_and_says_so(text: str | None, shown: str) -> None:
    assert printable(text, 3) == shown


@given(JSON, st.sampled_from([None, 1]), st.booleans())
def test_a_json_line_is_the_same_value_on_one_line_without_a_control_character(
    value: object, indent: int | None, ascii_alone: bool
) -> None:
    written = json.dumps(value, indent=indent, ensure_ascii=ascii_alone)
    line = json_line(written.encode())
    assert line.decode().isprintable()
    assert json.loads(line) == value


def test_c1_and_the_unicode_line_ends_are_escaped_in_json() -> None:
    line = json_line(msgspec.json.encode({"reason": "\x1b\x7f\x9b\u2028\u2029\u202e\U000e0001"}))
    assert line == rb'{"reason":"\u001b\u007f\u009b\u2028\u2029\u202e\udb40\udc01"}'


def test_json_that_is_fit_is_left_as_it_is() -> None:
    written = '{"name": "Süd 東", "of":[1, 2]}'.encode()
    assert json_line(written) == written
