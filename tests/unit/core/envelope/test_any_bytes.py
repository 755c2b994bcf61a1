"""Whatever comes is an event, none of ours, or refused in one short line."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.core.envelope import TEXT_MAX_LENGTH, InteractionEvent, parse, readable_interaction_id
from streams.errors import EnvelopeError
from tests.support.envelopes import (
    DETAIL,
    ENVELOPE,
    UPDATE,
    assert_is_one_short_line,
    body,
    event,
    refusal,
    unread,
)

# Any text that JSON can write, one half of a surrogate pair and what grows when lowered included.
# As often as any other: hypothesis alone would draw them once in a thousand.
odd_characters = st.sampled_from(["\u0130", "\ud83d", "\udc00", "\x00", " ", "\x85"])
texts = st.lists(odd_characters | st.characters(codec=None), max_size=140).map("".join)
long_texts = st.builds(lambda text, times: text * times, texts, st.sampled_from([1, 9, 300]))

# JSON that looks like an event from afar, so that the search gets past the first check.
names = st.sampled_from([*ENVELOPE, *DETAIL, "detailType", "x"]) | texts
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**140), 10**140)
    | st.floats(allow_nan=False, allow_infinity=False)
    | long_texts
    | st.sampled_from(
        [UPDATE, "voice", "completed", "7", 0, -1, 10**30, DETAIL, DETAIL | {"state": 1}]
    )
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=8),
    max_leaves=20,
)
details = st.fixed_dictionaries(
    {
        "interactionId": st.just("i-1") | leaves,
        "sequenceId": st.integers() | texts | leaves,
    },
    optional={"interactionType": long_texts, "state": long_texts, "x": values},
)
events = st.fixed_dictionaries(
    {"detail-type": st.just(UPDATE) | leaves, "detail": details | leaves},
    optional={"id": long_texts, "time": long_texts, "source": long_texts | leaves, "x": values},
)
documents = (values | details | events | st.dictionaries(names, values)).flatmap(
    lambda value: st.sampled_from(
        [
            json.dumps(value).encode(),
            json.dumps(value, indent=1, separators=(" , ", " :\t")).encode(),
        ]
    )
)


def assert_is_bounded_and_can_be_sent_on(parsed: InteractionEvent) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", parsed.interaction_id)
    assert type(parsed.sequence_id) in (int, str)
    assert 1 <= len(str(parsed.sequence_id)) <= 128
    assert parsed.order is None or type(parsed.order) is int
    if isinstance(parsed.sequence_id, int):
        assert parsed.order == parsed.sequence_id
    kept = (
        parsed.interaction_type,
        parsed.state,
        parsed.event_id,
        parsed.event_time,
        parsed.source,
    )
    for text in kept:
        assert text is None or (type(text) is str and len(text) <= TEXT_MAX_LENGTH)
    msgspec.json.encode([parsed.sequence_id, *kept])


@given(
    st.binary()
    | documents
    | st.tuples(documents, st.integers(0), st.binary(max_size=3)).map(
        lambda parts: parts[0][: parts[1] % (len(parts[0]) + 1)] + parts[2]
    )
)
def test_whatever_comes_is_an_event_none_or_an_envelope_error(text: bytes) -> None:
    named = readable_interaction_id(text)
    try:
        parsed = parse(text)
    except EnvelopeError as error:
        assert_is_one_short_line(str(error))
        return
    if parsed is not None:
        assert_is_bounded_and_can_be_sent_on(parsed)
        assert parsed.interaction_id == named


kept_texts = st.fixed_dictionaries(
    dict.fromkeys(["interactionType", "state", "id", "time", "source"], long_texts)
)


@given(kept_texts)
def test_what_is_kept_of_an_event_is_bounded_and_can_be_sent_on(kept: dict[str, str]) -> None:
    # Two halves that belong together are one character once JSON was read.
    kept = json.loads(json.dumps(kept))
    flat = {"interactionId": "i-1", "sequenceId": 1} | kept
    if any(len(text) > TEXT_MAX_LENGTH for text in kept.values()):
        assert len(kept[str(refusal(json.dumps(flat).encode()).field)]) > TEXT_MAX_LENGTH
        return
    parsed = event(json.dumps(flat).encode())
    assert_is_bounded_and_can_be_sent_on(parsed)
    for name, text in (("id", parsed.event_id), ("source", parsed.source)):
        assert text == kept[name] or "\ufffd" in str(text)


@given(documents)
def test_no_json_is_refused_as_none(text: bytes) -> None:
    try:
        parse(text)
    except EnvelopeError as error:
        assert "not JSON" not in str(error)
        assert error.field is not None or not isinstance(json.loads(text), dict)


@given(values)
def test_no_json_in_an_unread_field_changes_what_is_read(value: Any) -> None:
    assert event(unread(json.dumps(value).encode())) == event(unread(b"0"))


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True), st.integers())
def test_every_good_event_is_read_in_both_shapes(interaction_id: str, number: int) -> None:
    for shape in ("enveloped", "flat"):
        for given_id in (number, str(number)):
            parsed = event(body(shape, interactionId=interaction_id, sequenceId=given_id))
            assert parsed.interaction_id == interaction_id
            assert (parsed.sequence_id, parsed.order) == (given_id, number)
