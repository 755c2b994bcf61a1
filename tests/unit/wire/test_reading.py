"""A record's value into an event, or why not."""

from __future__ import annotations

import json

import hypothesis.strategies as st
from hypothesis import given

from streams.core.envelope import UPDATE_DETAIL_TYPE, parse
from streams.wire.reading import WHY_LENGTH, Unreadable, read_event


def test_what_is_no_event_says_why() -> None:
    assert read_event(None, parse) == Unreadable("it has no value")
    assert read_event(b"\xff", parse) == Unreadable("not UTF-8")
    assert read_event(b'{"detail-type": "another"}', parse) is None


def said(text: str) -> bytes:
    detail = {"interactionId": text, "sequenceId": text, "state": text}
    return json.dumps({"detail-type": UPDATE_DETAIL_TYPE, "detail": detail, text: text}).encode()


@given(st.none() | st.binary() | st.text(st.characters(codec=None)).map(said))
def test_reading_never_raises_and_a_reason_is_one_bounded_line(value: bytes | None) -> None:
    read = read_event(value, parse)
    if isinstance(read, Unreadable):
        assert read.why.isprintable()
        assert len(read.why) <= WHY_LENGTH
