"""Which error an answer is, without any HTTP."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from streams.errors import ApiError, Forbidden, RateLimited, ServerError
from streams.genesys.answers import CORRELATION_ID_MAX_LENGTH, DETAIL_MAX_LENGTH, Answer
from streams.genesys.status_errors import error_of

NOW = 1_765_552_507.0


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer.received(status, CIMultiDict(named), body, now=NOW)


def error(of: Answer, *, changes: bool = False) -> ApiError:
    return error_of(of, what="GET interaction i-1", changes=changes, scope="s:r", random=Random(7))


@given(st.binary())
def test_any_bytes_can_be_an_error_body(body: bytes) -> None:
    assert str(error(answer(500, body)))


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


def test_a_429_that_names_no_wait_draws_it_anew_each_time() -> None:
    random = Random(7)
    drawn = set()
    for _ in range(100):
        failed = error_of(answer(429), what="GET", changes=False, scope="", random=random)
        drawn.add(failed.retry_after)
    assert len(drawn) == 100
    assert 1 <= min(drawn) < 1.2
    assert 2.8 < max(drawn) <= 3


def test_a_correlation_id_that_is_no_text_is_made_one() -> None:
    failed = error(answer(403, ININ_Correlation_Id="\udcff\udcfe"))
    assert isinstance(failed, Forbidden)
    assert failed.correlation_id == "\N{REPLACEMENT CHARACTER}" * 2
    assert str(failed).encode()


def test_a_correlation_id_of_8000_bytes_is_bounded() -> None:
    failed = error(answer(503, retry_after="3000", ININ_Correlation_Id="c" * 8000))
    assert len(failed.correlation_id or "") == CORRELATION_ID_MAX_LENGTH == 64
    assert len(str(failed)) < 300
    assert failed.retry_after == 3000


@pytest.mark.parametrize("status", [0, 1, 99, 101, 199, 600, 999])
@pytest.mark.parametrize("changes", [True, False])
def test_a_status_that_no_final_answer_has_is_a_failure_on_the_way(
    status: int, changes: bool
) -> None:
    failed = error(answer(status), changes=changes)
    assert isinstance(failed, ServerError)
    assert failed.maybe_applied == changes


def test_the_proxy_is_named() -> None:
    by = Answer.received(502, CIMultiDict(), b"<html>", now=NOW, proxy="p:3128 (HTTP_PROXY)")
    assert "502 through the proxy p:3128 (HTTP_PROXY);" in str(error(by))


foreign = st.text(st.characters(exclude_categories=())) | st.binary().map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)


@given(
    st.integers(0, 199) | st.integers(300, 999),
    foreign,
    st.none() | foreign | st.floats() | st.lists(foreign),
    st.text("0123456789-., GMTuf", max_size=500),
    st.booleans(),
)
def test_whatever_it_says_the_error_is_one_bounded_printable_line(
    status: int, header: str, said: object, wait: str, changes: bool
) -> None:
    content = {"code": said, "message": said, "contextId": said, "limit": {"key": said}}
    body = json.dumps(content).encode()
    failed = error(
        answer(status, body, ININ_Correlation_Id=header * 50, retry_after=wait), changes=changes
    )
    assert len(str(failed)) < DETAIL_MAX_LENGTH + 900
    for text in (str(failed), failed.code or "", failed.correlation_id or ""):
        assert text.isprintable()
        assert text.encode() is not None
    assert len(failed.code or "") <= 128
    assert len(failed.correlation_id or "") <= 64
    assert 0 <= failed.retry_after <= 86_400
