"""HTTP answers into errors, without any HTTP."""

from __future__ import annotations

from email.utils import formatdate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from streams.errors import ApiError, RateLimited
from streams.genesys.answers import (
    LONGEST_RETRY_AFTER,
    Answer,
    Complaint,
    complaint,
    error_of,
    retry_after,
)

NOW = 1_765_552_507.0


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CIMultiDict(named), body)


def error(of: Answer, *, changes: bool = False) -> ApiError:
    return error_of(
        of, what="GET interaction i-1", changes=changes, scope="s:r", now=NOW, random=Random(7)
    )


@given(st.integers(0, 10**6))
def test_retry_after_in_seconds(seconds: int) -> None:
    assert retry_after(str(seconds), NOW, Random(7)) == min(seconds, LONGEST_RETRY_AFTER)


@given(st.integers(1, 10**6))
def test_retry_after_as_a_date(seconds: int) -> None:
    header = formatdate(NOW + seconds, usegmt=True)
    assert retry_after(header, NOW, Random(7)) == min(seconds, LONGEST_RETRY_AFTER)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        (" 5 ", 5),
        ("1.5", 1.5),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("Fri, 12 Dec 2025 15:15:17 GMT", 10),
        ("Friday, 12-Dec-25 15:15:17 GMT", 10),
        ("Fri Dec 12 15:15:17 2025", 10),
    ],
)
def test_retry_after_as_it_comes(header: str, seconds: float) -> None:
    assert retry_after(header, NOW, Random(7)) == seconds


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "soon",
        "-5",
        "1e9",
        "inf",
        "nan",
        "٣",
        "Fri, 12 Dec 2025 15:15:07 GMT",
        "Fri, 12 Dec 2015 15:15:17 GMT",
        "Fri, 32 Dec 2025 15:15:17 GMT",
    ],
)
def test_a_retry_after_that_says_nothing_is_drawn_anew_each_time(header: str | None) -> None:
    random = Random(7)
    drawn = {retry_after(header, NOW, random) for _ in range(100)}
    assert len(drawn) == 100
    assert 1 <= min(drawn) < 1.2
    assert 2.8 < max(drawn) <= 3


@given(st.text(), st.floats(0, 4e9))
def test_whatever_the_header_the_wait_is_one_that_can_be_waited(header: str, now: float) -> None:
    assert 0 <= retry_after(header, now, Random(7)) <= LONGEST_RETRY_AFTER


def test_a_complaint_in_genesys_shape() -> None:
    body = b"""{"message":"Rate limit\\nexceeded","code":"too.many.requests","status":429,
        "contextId":"ctx","details":[],"limit":{"key":"token.rate.per.minute","value":300}}"""
    assert complaint(body) == Complaint(
        "too.many.requests", "Rate limit exceeded", "ctx", "token.rate.per.minute"
    )


def test_a_complaint_of_the_token_endpoint() -> None:
    body = b"""{"error":"invalid_client","description":"d","error_description":"e"}"""
    assert complaint(body) == Complaint("invalid_client", "e")


@given(st.binary())
def test_any_bytes_can_be_an_error_body(body: bytes) -> None:
    complaint(body)
    assert str(error(answer(500, body)))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"x"', b"<html>", b"\xff", b"[" * 100_000, b'{"code":5,"limit":[]}'],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_complaint_says_nothing(body: bytes) -> None:
    assert complaint(body) == Complaint()


def test_a_long_message_is_cut() -> None:
    assert len(str(error(answer(400, b'{"message":"' + b"x" * 10_000 + b'"}')))) < 500


def test_an_error_carries_what_support_asks_for() -> None:
    body = b'{"code":"not.authorized","message":"No","contextId":"ctx"}'
    failed = error(answer(403, body, inin_correlation_id="corr"))
    assert (failed.status, failed.code, failed.correlation_id) == (403, "not.authorized", "corr")
    assert str(failed).startswith("GET interaction i-1: 403 (not.authorized: No); ")
    assert str(failed).endswith("[ININ-Correlation-Id corr]")
    assert "scope s:r" in str(failed)


def test_the_context_id_stands_in_for_a_correlation_id() -> None:
    assert error(answer(500, b'{"contextId":"ctx"}')).correlation_id == "ctx"


def test_a_429_names_the_limit_and_the_wait() -> None:
    body = b'{"limit":{"key":"client.credentials.token.rate.per.minute"}}'
    failed = error(answer(429, body, retry_after="12"), changes=True)
    assert isinstance(failed, RateLimited)
    assert failed.retry_after == 12
    assert "client.credentials.token.rate.per.minute" in str(failed)
    assert "12.0 s" in str(failed)
    assert not failed.maybe_applied


@given(st.integers(300, 599), st.booleans())
def test_only_a_change_that_met_a_5xx_may_have_been_applied(status: int, changes: bool) -> None:
    assert error(answer(status), changes=changes).maybe_applied == (changes and status >= 500)


def test_secrets_are_blotted_out() -> None:
    assert answer(400, b"a t1 b t2").without("t1", "t2").body == b"a *** b ***"
