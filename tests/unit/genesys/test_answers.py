"""HTTP answers into values of ours, without any HTTP."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from streams.core.retry_policy import LONGEST_RETRY_AFTER
from streams.genesys.answers import (
    ETAG_MAX_LENGTH,
    UNREADABLE,
    Answer,
    Complaint,
    complaint,
    legal_json,
)
from streams.genesys.blotting import Blotter
from streams.genesys.budget import ALLOWED, COUNT, RESET, Quota

NOW = 1_765_552_507.0


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer.received(status, CIMultiDict(named), body, now=NOW)


def wait(header: str, now: float = NOW, *, date: str = "") -> float | None:
    headers = CIMultiDict({"Retry-After": header, "Date": date})
    return Answer.received(429, headers, b"", now=now).retry_after


def http_date(at: float) -> str:
    return formatdate(at, usegmt=True)


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        (formatdate(NOW - 90, usegmt=True), 90),
        (formatdate(NOW + 90, usegmt=True), -90),
        ("yesterday", None),
        ("x" * 5000, None),
    ],
)
def test_how_far_our_clock_is_ahead_of_theirs(date: str, ahead: int | None) -> None:
    assert answer(200, Date=date).clock_ahead(NOW) == ahead
    assert answer(200).clock_ahead(NOW) is None


@given(st.integers(0, 10**6))
def test_retry_after_in_seconds(seconds: int) -> None:
    assert wait(str(seconds)) == min(seconds, LONGEST_RETRY_AFTER)


@given(st.integers(1, 10**6))
def test_retry_after_as_a_date(seconds: int) -> None:
    header = formatdate(NOW + seconds, usegmt=True)
    assert wait(header) == min(seconds, LONGEST_RETRY_AFTER)


@pytest.mark.parametrize("ahead", [-3600, 0, 3600])
def test_a_date_to_wait_for_is_held_against_the_senders_own_clock(ahead: int) -> None:
    """A clock of ours that is an hour behind must not make five seconds an hour of quiet."""
    theirs = NOW - ahead
    assert wait(http_date(theirs + 5), date=http_date(theirs)) == 5


@pytest.mark.parametrize("date", ["", "noon", "\udcff", "x" * 5000])
def test_without_a_senders_clock_it_is_held_against_ours(date: str) -> None:
    assert wait(http_date(NOW + 5), date=date) == 5


def test_a_date_that_has_passed_by_the_senders_clock_says_nothing() -> None:
    assert wait(http_date(NOW - 60), NOW - 3600, date=http_date(NOW - 60)) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        (" 5 ", 5),
        ("1.5", 1.5),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_RETRY_AFTER),
        ("Fri, 12 Dec 2025 15:15:17 GMT", 10),
        ("Friday, 12-Dec-25 15:15:17 GMT", 10),
        ("Fri Dec 12 15:15:17 2025", 10),
    ],
)
def test_retry_after_as_it_comes(header: str, seconds: float) -> None:
    assert wait(header) == seconds


@given(st.text(), st.floats(0, 4e9))
def test_whatever_the_header_the_wait_is_one_that_can_be_waited(header: str, now: float) -> None:
    assert 0 <= (wait(header, now) or 0) <= LONGEST_RETRY_AFTER


@pytest.mark.parametrize(
    ("headers", "body", "cut"),
    [
        ({}, b'{"id": "i-1', True),
        ({}, b"", True),
        ({}, b"<html>", True),
        ({}, b'{"id": "i-1"}', False),
        ({"Content-Length": "11"}, b'{"id": "i-1', False),
        ({"Transfer_Encoding": "Chunked"}, b'{"id": "i-1', False),
    ],
)
def test_a_body_without_a_length_that_is_no_json_may_have_been_cut(
    headers: dict[str, str], body: bytes, cut: bool
) -> None:
    assert answer(200, body, **headers).may_be_cut is cut


def test_a_complaint_in_genesys_shape() -> None:
    body = b"""{"message":"Rate limit\\nexceeded","code":"too.many.requests","status":429,
        "contextId":"ctx","details":[],"limit":{"key":"token.rate.per.minute","value":300}}"""
    assert complaint(answer(400, body)) == Complaint(
        "too.many.requests", "Rate limit exceeded", "ctx", "token.rate.per.minute"
    )


def test_a_complaint_of_the_token_endpoint() -> None:
    body = b"""{"error":"invalid_client","description":"d","error_description":"e"}"""
    assert complaint(answer(400, body)) == Complaint("invalid_client", "e")


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b"<html>", b"\xff", b"[" * 100_000, b'{"code":5,"limit":[]}'],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_complaint_says_nothing(body: bytes) -> None:
    assert complaint(answer(400, body)) == Complaint()


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "soon",
        "-5",
        "1e9",
        "inf",
        "nan",
        "\u0663",
        "\udcff",
        "Fri, 12 Dec 2025 15:15:07 GMT",
        "Fri, 12 Dec 2015 15:15:17 GMT",
        "Fri, 32 Dec 2025 15:15:17 GMT",
        "," * 8000,
    ],
)
def test_a_retry_after_that_says_nothing_is_none(header: str) -> None:
    assert wait(header) is None


@pytest.mark.parametrize("etag", ['"1"', '""', '"a!#~[]"', '"' + "x" * (ETAG_MAX_LENGTH - 2) + '"'])
def test_a_strong_entity_tag_goes_back(etag: str) -> None:
    assert answer(200, ETag=etag).etag == etag


@pytest.mark.parametrize(
    "etag",
    [
        'W/"1"',
        'w/"1"',
        "1",
        "*",
        "",
        '"a b"',
        '"a"b"',
        '"1", "2"',
        '"\x7f"',
        '"\x00"',
        '"\n"',
        '"1"\n',
        '"\u00fc"',
        '"\udcff"',
        '"' + "x" * ETAG_MAX_LENGTH + '"',
    ],
)
def test_no_other_entity_tag_does(etag: str) -> None:
    assert answer(200, ETag=etag).etag is None


@pytest.mark.parametrize("coding", ["gzip", "GZIP", " br ", "gzip, identity", "\udcff"])
def test_that_of_a_compressed_answer_does_not(coding: str) -> None:
    assert answer(200, ETag='"1-gzip"', Content_Encoding=coding).etag is None
    assert answer(200, ETag='"1"', Content_Encoding=coding).etag is None


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_identity_is_no_compression(coding: str) -> None:
    assert answer(200, ETag='"1"', Content_Encoding=coding).etag == '"1"'


def test_the_budget_is_read_where_the_answer_arrives() -> None:
    headers = CIMultiDict({COUNT.upper(): "7", ALLOWED: " 300", RESET: "42"})
    assert Answer.received(200, headers, b"", now=NOW).quota == Quota(7, 300, 42)


any_text = st.text(st.characters(exclude_categories=()))


@given(st.dictionaries(st.sampled_from([COUNT, ALLOWED, RESET]), any_text | st.text("0123456789")))
def test_a_budget_is_one_that_can_be_kept_to(headers: dict[str, str]) -> None:
    quota = Answer.received(200, CIMultiDict(headers), b"", now=NOW).quota
    if quota is not None:
        assert 0 <= quota.count <= 1_000_000_000
        assert 0 < quota.allowed <= 1_000_000_000
        assert 0 <= quota.reset <= 61


@given(any_text, st.integers(1, 300))
def test_a_text_of_an_answer_is_bounded_and_printable(said: str, most: int) -> None:
    text = Answer(200).text(said, most)
    assert len(text) <= most
    assert text.isprintable()
    assert text.encode() is not None


def test_a_secret_at_the_cut_is_gone_whole() -> None:
    received = Answer(200, blotter=Blotter("s3cr3t-8c1d-99"))
    for before in range(20):
        assert "s3" not in received.text("x" * before + "s3cr3t-8c1d-99 and so on", 20)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=10,
)


@given(json_values)
def test_legal_json_is_read(value: Any) -> None:
    text = json.dumps(value)
    read = legal_json(text.encode())
    assert json.dumps(read) == json.dumps(json.loads(text, parse_int=float))


@pytest.mark.parametrize(
    "text",
    [
        rb'"a\ud83d"',
        rb'{"\udc00":1}',
        b"1e999",
        b"-" + b"9" * 5000,
        b"0." + b"1" * 5000,
        b'{"a":1,"a":2}',
        b"[" * 200 + b"]" * 200,
        b"\xef\xbb\xbf{}",
        b" \t\r\n1 ",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_json_that_is_strange_and_legal_is_read(text: bytes) -> None:
    legal_json(text)


@pytest.mark.parametrize(
    "text",
    [b"", b"NaN", b"Infinity", b"-Infinity", b"[" * 100_000, b'"\n"', b'"\xff"', b"{} {}", b"01"],
    ids=lambda text: repr(text[:20]),
)
def test_json_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(UNREADABLE):
        legal_json(text)
