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

from streams.errors import BadRequest
from streams.genesys.answers import Answer
from streams.genesys.interactions import (
    duration_ms,
    get_request,
    patch_request,
    read_interaction,
)

BASE = URL("https://api.mypurecloud.de")
START = "2025-12-12T15:00:00.000Z"

times = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def read(body: Any, status: int = 200, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_interaction(Answer(status, CIMultiDict(headers), content), "i-1")


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
        etag='W/"5"',
    )
    assert (interaction.id, interaction.type, interaction.state) == ("i-1", "voice", "completed")
    assert (interaction.disposition_code_id, interaction.wrap_up_code_id) == ("d", "w")
    assert (interaction.duration_ms, interaction.etag) == (60_000, 'W/"5"')


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


@given(times, times)
def test_the_duration_is_from_the_metadata(start: datetime, end: datetime) -> None:
    metadata = {"startTime": start.isoformat(), "endTime": end.isoformat()}
    exact = (end - start) / timedelta(milliseconds=1)
    assert abs(duration_ms(metadata, [span(0, 1)]) - max(0, exact)) <= 1


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
    assert duration_ms(metadata, timeline) >= 0


def test_where_it_is() -> None:
    request = get_request(BASE, "i-1")
    assert str(request.url) == "https://api.mypurecloud.de/api/v2/interactions/i-1"
    assert not request.changes
    behind_a_proxy = get_request(URL("http://proxy:8080/genesys"), "i-1")
    assert str(behind_a_proxy.url) == "http://proxy:8080/genesys/api/v2/interactions/i-1"


@pytest.mark.parametrize(
    ("interaction_id", "segment"),
    [("a/../b", "a%2F..%2Fb"), ("a?b#c", "a%3Fb%23c"), ("a%2Fb", "a%252Fb"), ("a b", "a%20b")],
)
def test_an_id_never_leaves_its_segment(interaction_id: str, segment: str) -> None:
    url = get_request(BASE, interaction_id).url
    assert url.raw_path == f"/api/v2/interactions/{segment}"
    assert (url.query_string, url.fragment) == ("", "")


def test_the_patch() -> None:
    request = patch_request(BASE, "i-1", 'co"de', '"v1"')
    assert request.body is not None
    assert json.loads(request.body) == {"dispositionCode": {"id": 'co"de'}}
    assert request.headers == {"Content-Type": "application/json", "If-Match": '"v1"'}
    assert request.changes
    assert "If-Match" not in patch_request(BASE, "i-1", "code", None).headers
