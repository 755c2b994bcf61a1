"""Two decoders read an event: the quick one first, and the one that takes all legal JSON after it.
Which of them has read it makes no difference."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import envelope
from streams.core.envelope import InteractionEvent, parse
from streams.errors import EnvelopeError

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
EVENTS = st.builds(
    lambda detail, fields: json.dumps(
        {"detail-type": "purecloud:v2:interaction:update"} | fields | {"detail": detail}
    ).encode(),
    st.fixed_dictionaries(
        {"interactionId": st.just("i-1") | ANY_JSON, "sequenceId": st.integers() | ANY_JSON},
        optional={"interactionType": ANY_JSON, "state": ANY_JSON, "other": ANY_JSON},
    ),
    st.fixed_dictionaries({}, optional={"id": ANY_JSON, "time": ANY_JSON, "x": ANY_JSON}),
)


def read(body: bytes) -> InteractionEvent | str | None:
    try:
        return parse(body)
    except EnvelopeError as error:
        return f"{error.field}: {error}"


def read_by_the_second(body: bytes) -> InteractionEvent | str | None:
    refusing = mock.Mock(**{"decode.side_effect": msgspec.DecodeError})
    with mock.patch.object(envelope, "_QUICK_JSON", refusing):
        return read(body)


@given(EVENTS)
def test_any_event(body: bytes) -> None:
    assert read(body) == read_by_the_second(body)


@given(EVENTS, st.data())
def test_any_event_with_a_byte_changed(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + data.draw(st.binary(max_size=2)) + body[at + 1 :]
    assert read(changed) == read_by_the_second(changed)


@pytest.mark.parametrize(
    "value",
    [
        "-0",
        *("1" * 128, "1" * 129, "-" + "1" * 127, "-" + "1" * 128, "1" * 5000),
        *("1e400", "NaN", "01", "1.", "1.0"),
        *('"\\ud83d"', '"\\u0000"', '"\\q"', '"\x01"'),
        "[" * 600 + "]" * 600,
    ],
)
@pytest.mark.parametrize("field", ["sequenceId", "other"])
def test_values_that_decoders_differ_on(field: str, value: str) -> None:
    detail: dict[str, Any] = {"interactionId": "i-1", "sequenceId": 1} | {field: "HERE"}
    body = json.dumps({"detail-type": "purecloud:v2:interaction:update", "detail": detail}).replace(
        '"HERE"', value
    )
    assert read(body.encode()) == read_by_the_second(body.encode())
