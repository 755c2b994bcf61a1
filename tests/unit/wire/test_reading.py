"""A record's value into an outcome or an event, or why not."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streams.core.records import Outcome
from streams.kafka.declaration import declared_directory
from streams.wire.reading import WHY_LENGTH, Unreadable, read_event, read_outcome

EXAMPLE = json.loads((declared_directory() / "examples" / "outcome.patched.json").read_text())


def outcome(**changes: Any) -> bytes:
    return json.dumps(EXAMPLE | changes).encode()


def test_an_outcome_is_read() -> None:
    read = read_outcome(outcome(note="of a later version"))
    assert isinstance(read, Outcome)
    assert read.outcome_id == EXAMPLE["outcomeId"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "it has no value"),
        (b"", "not JSON: Input data was truncated"),
        (b"\xff", "not UTF-8: invalid start byte at byte 0"),
        (outcome(interactionId="X").replace(b'"X"', b'"\xff"'), "not UTF-8: invalid start byte"),
        (outcome(note="X").replace(b'"X"', b'"\xff"'), "not UTF-8: invalid start byte"),
        (outcome()[:-1], "not JSON: Input data was truncated"),
        (outcome(interactionId="\ud83d"), "not JSON: JSON is malformed"),
        (b"[]", "JSON of another shape: Expected `object`"),
        (b"{}", "JSON of another shape: Object missing required field"),
        (outcome(decision="undecided"), "JSON of another shape: Invalid enum value"),
        (outcome(decision="\x1b[31m\n"), r"JSON of another shape: Invalid enum value '\x1b[31m\n'"),
        (outcome(apiCalls="X").replace(b'"X"', b"9" * 5000), "JSON of another shape: Integer"),
        (outcome(note="X").replace(b'"X"', b"[" * 10**5 + b"]" * 10**5), "JSON is nested too"),
    ],
)
def test_what_is_no_outcome_says_why(value: bytes | None, why: str) -> None:
    read = read_outcome(value)
    assert isinstance(read, Unreadable)
    assert read.why.startswith(why)


def test_what_is_no_event_says_why() -> None:
    assert read_event(None) == Unreadable("it has no value")
    assert read_event(b"\xff") == Unreadable("not UTF-8")
    assert read_event(b'{"detail-type": "another"}') is None


@given(
    st.none() | st.binary() | st.text(st.characters(codec=None)).map(lambda s: outcome(decision=s))
)
def test_reading_never_raises_and_a_reason_is_one_bounded_line(value: bytes | None) -> None:
    for read in (read_outcome(value), read_event(value)):
        if isinstance(read, Unreadable):
            assert read.why.isprintable()
            assert len(read.why) <= WHY_LENGTH
