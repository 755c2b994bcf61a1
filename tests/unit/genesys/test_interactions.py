"""The ``interactions`` dialect: what is asked and how the answer is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from streams.core.foreign_text import REPLACEMENT
from streams.core.interaction import Interaction
from streams.errors import BadRequest
from streams.genesys.answers import CODE_MAX_LENGTH, Answer
from streams.genesys.interactions import (
    WORD_MAX_LENGTH,
    Interactions,
    duration_ms,
)

DIALECT = Interactions()
BASE = URL("https://api.mypurecloud.de")
# From the year 1 to the end of 9999.
MOST_MS = 315_537_897_600_000

START = "2025-12-12T15:00:00.000Z"

times = st.datetimes(timezones=st.just(UTC))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def read(body: Any, status: int = 200, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = Answer.received(status, CIMultiDict(named), content, now=0)
    return DIALECT.read_interaction(answer, "i-1")


def at(seconds: float) -> str:
    return (datetime(2025, 12, 12, 15, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()


def span(start: float | None, end: float | None) -> dict[str, str | None]:
    return {
        "startTime": None if start is None else at(start),
        "endTime": None if end is None else at(end),
    }


def test_the_whole_interaction() -> None:
    interaction = read(
        {
            "id": "i-1",
            "type": "VOICE",
            "state": "Completed",
            "dispositionCode": {"id": "d", "name": "x"},
            "wrapUpCode": {"id": "w"},
            "metadata": span(0, 60),
            "unheard": [1],
        },
        etag='"5"',
    )
    assert (interaction.id, interaction.type, interaction.state) == ("i-1", "voice", "completed")
    assert (interaction.disposition_code_id, interaction.wrap_up_code_id) == ("d", "w")
    assert (interaction.duration_ms, interaction.etag) == (60_000, '"5"')


@pytest.mark.parametrize("code", [None, {}, {"id": None}, {"id": ""}])
def test_no_code_is_none_however_it_is_said(code: Any) -> None:
    interaction = read(
        {"type": "voice", "state": "completed", "dispositionCode": code, "wrapUpCode": code}
    )
    assert interaction.disposition_code_id is None
    assert interaction.wrap_up_code_id is None


def test_a_get_promises_200() -> None:
    with pytest.raises(BadRequest):
        read({"type": "voice", "state": "completed"}, status=202)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_interaction_or_a_bad_request(body: bytes) -> None:
    try:
        interaction = read(body)
    except BadRequest:
        return
    assert isinstance(json.loads(body)["type"], str)
    assert interaction.duration_ms >= 0


@pytest.mark.parametrize(
    "unread",
    [
        rb'"name":"a\ud83d"',
        rb'"\udfff":1',
        rb'"type":"chat","type":"voice"',
        b'"n":1e999',
        b'"n":' + b"9" * 5000,
        b'"n":' + b"[" * 200 + b"]" * 200,
        b'"id":null',
        rb'"dispositionCode":{"id":null,"\udfff":"\udfff"}',
    ],
    ids=lambda unread: repr(unread[:20]),
)
def test_what_nobody_reads_is_not_judged(unread: bytes) -> None:
    interaction = read(b'{"type":"voice","state":"completed",' + unread + b"}")
    assert (interaction.type, interaction.state) == ("voice", "completed")


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": None},
        {"type": 5},
        {"state": ["completed"]},
        {"dispositionCode": "x"},
        {"dispositionCode": []},
        {"dispositionCode": {"id": 5}},
        {"dispositionCode": {"id": False}},
        {"wrapUpCode": {"id": ["w"]}},
        {"wrapUpCode": 0},
        {"id": 1},
        {"id": ""},
        {"id": "i-\udcff"},
    ],
    ids=repr,
)
def test_what_decides_must_be_of_its_type(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="not the interaction"):
        read({"type": "voice", "state": "completed"} | wrong)


def test_nan_is_no_json() -> None:
    with pytest.raises(BadRequest, match="NaN"):
        read(b'{"type":"voice","state":"completed","n":NaN}')


def test_a_code_that_can_not_be_shown_is_set_all_the_same() -> None:
    body = {"type": "v", "state": "s", "dispositionCode": {"id": " \n"}, "wrapUpCode": {"id": "\0"}}
    interaction = read(body)
    assert interaction.disposition_code_id == interaction.wrap_up_code_id == REPLACEMENT


any_text = st.text(st.characters(exclude_categories=()))


@given(any_text, any_text, any_text, st.integers(1, 500))
def test_what_is_kept_is_bounded_and_printable(kind: str, state: str, code: str, n: int) -> None:
    interaction = read({"type": kind * n, "state": state * n, "dispositionCode": {"id": code * n}})
    kept = (interaction.type, interaction.state, interaction.disposition_code_id or "")
    for text, most in zip(kept, (WORD_MAX_LENGTH, WORD_MAX_LENGTH, CODE_MAX_LENGTH), strict=True):
        assert len(text) <= most
        assert text.isprintable()
        assert text.encode() is not None
    assert (interaction.disposition_code_id is None) == (code == "")


def test_a_compressed_body_that_is_not_read_is_named() -> None:
    with pytest.raises(BadRequest, match="compressed, br, though identity was asked for"):
        read(b"\x1b\x00", Content_Encoding="br")


@pytest.mark.parametrize(
    ("metadata", "timeline", "ended"),
    [
        (span(0, 60), None, True),
        (span(None, 60), None, True),
        (span(0, None), None, False),
        (span(0, None), [span(0, 60)], True),
        (span(0, None), [span(0, None), span(None, 9)], True),
        (span(0, None), [span(0, None)], False),
        ({"endTime": "soon"}, [{"endTime": 5}, None, "x"], False),
        ({"endTime": ""}, [{"endTime": "\ud83d"}], False),
        (None, None, False),
        ("x", {"endTime": at(9)}, False),
    ],
)
def test_ended_when_a_time_says_so(metadata: Any, timeline: Any, ended: bool) -> None:
    body = {"type": "voice", "state": "completed", "metadata": metadata, "timeline": timeline}
    assert read(body).ended is ended


def test_others_who_make_an_interaction_mean_one_that_has_ended() -> None:
    assert Interaction("i-1", "voice", "completed", None, None, 60_000).ended


@given(times, times)
def test_the_duration_is_from_the_metadata(start: datetime, end: datetime) -> None:
    metadata = {"startTime": start.isoformat(), "endTime": end.isoformat()}
    exact = (end - start) / timedelta(milliseconds=1)
    measured = duration_ms(metadata, [span(0, 1)])
    assert abs(measured - max(0, exact)) <= 1
    assert measured <= MOST_MS


@pytest.mark.parametrize(
    "metadata",
    [None, {}, span(0, None), span(None, 9), {"startTime": "?", "endTime": at(9)}, [], "x", 5],
)
def test_without_both_times_there_the_timeline_counts(metadata: Any) -> None:
    assert duration_ms(metadata, [span(5, 10), span(10, 25)]) == 20_000


@pytest.mark.parametrize(
    ("timeline", "expected"),
    [
        ([span(0, 30)], 30_000),
        ([span(0, 10), span(10, 20), span(20, 30)], 30_000),
        ([span(0, 30), span(10, 20)], 30_000),
        ([span(10, 30), span(0, 10)], 30_000),
        ([span(None, 5), span(10, None), span(20, 30)], 20_000),
        ([span(0, 10), None, "x", 5, [], span(10, None)], 10_000),
        ([span(0, None)], 0),
        ([span(None, 10)], 0),
        ([span(10, 5)], 0),
        ([], 0),
        (None, 0),
        ("x", 0),
        ({"startTime": at(0), "endTime": at(9)}, 0),
        ([{"startTime": 0, "endTime": 9}], 0),
        ([{"startTime": "0001-01-01T00:00:00+14:00", "endTime": "x"}], 0),
    ],
)
def test_the_timeline_from_its_first_start_to_its_last_end(timeline: Any, expected: int) -> None:
    assert duration_ms(None, timeline) == expected


def test_a_negative_duration_is_none() -> None:
    assert duration_ms(span(60, 0), [span(0, 99)]) == 0


def test_the_unit_is_the_millisecond() -> None:
    assert (
        duration_ms({"startTime": START, "endTime": "2025-12-12T16:00:29.999+01:00"}, []) == 29_999
    )


@given(json_values, json_values)
def test_any_metadata_and_timeline_have_a_duration(metadata: Any, timeline: Any) -> None:
    assert 0 <= duration_ms(metadata, timeline) <= MOST_MS


def test_where_it_is() -> None:
    request = DIALECT.get_request(BASE, "i-1")
    assert str(request.url) == "https://api.mypurecloud.de/api/v2/interactions/i-1"
    assert not request.changes
    behind_a_proxy = DIALECT.get_request(URL("http://proxy:8080/genesys"), "i-1")
    assert str(behind_a_proxy.url) == "http://proxy:8080/genesys/api/v2/interactions/i-1"


@pytest.mark.parametrize(
    ("interaction_id", "segment"),
    [("a/../b", "a%2F..%2Fb"), ("a?b#c", "a%3Fb%23c"), ("a%2Fb", "a%252Fb"), ("a b", "a%20b")],
)
def test_an_id_never_leaves_its_segment(interaction_id: str, segment: str) -> None:
    url = DIALECT.get_request(BASE, interaction_id).url
    assert url.raw_path == f"/api/v2/interactions/{segment}"
    assert (url.query_string, url.fragment) == ("", "")


def test_the_patch() -> None:
    request = DIALECT.patch_request(BASE, "i-1", 'co"de', '"v1"')
    assert request.body is not None
    assert json.loads(request.body) == {"dispositionCode": {"id": 'co"de'}}
    assert request.headers == {"Content-Type": "application/json", "If-Match": '"v1"'}
    assert request.changes
    assert "If-Match" not in DIALECT.patch_request(BASE, "i-1", "code", None).headers
