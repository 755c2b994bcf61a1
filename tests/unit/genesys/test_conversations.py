"""The ``conversations`` dialect: what is asked, and what an answer that is no success means."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from yarl import URL

from streams.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    WrapUpClosed,
)
from streams.genesys.answers import Answer
from streams.genesys.conversations import Conversations, LegAddress
from streams.genesys.settings import WrapUpMethod
from tests.support.conversations import LEG

BASE = URL("https://api.mypurecloud.de")
CALL_URL = "https://api.mypurecloud.de/api/v2/conversations/calls/c-1/participants/p-1"


def dialect(method: WrapUpMethod = "participant", *, keep_end_time: bool = True) -> Conversations:
    return Conversations(method, keep_end_time=keep_end_time)


def failure(status: int, code: str = "", *, changes: bool = True) -> ApiError:
    body = {"code": code, "message": f"in words: {code}"}
    answer = Answer(status, json.dumps(body).encode(), correlation_id="c-9")
    conversations = dialect()
    request = conversations.get_request(BASE, "c-1")
    if changes:
        request = conversations.write_request(BASE, LEG, "code-1")
    return conversations.error_of(request, answer, Random(7))


def test_the_look() -> None:
    request = dialect().get_request(BASE, "c-1")
    assert (request.method, str(request.url)) == (
        "GET",
        "https://api.mypurecloud.de/api/v2/conversations/c-1",
    )
    assert not request.changes


@pytest.mark.parametrize(
    ("method", "verb", "url"),
    [
        (
            "participant",
            "PATCH",
            "https://api.mypurecloud.de/api/v2/conversations/c-1/participants/p-1",
        ),
        ("communication", "POST", f"{CALL_URL}/communications/call-1/wrapup"),
        ("call", "PATCH", CALL_URL),
    ],
)
def test_the_three_ways_to_set_a_code(method: WrapUpMethod, verb: str, url: str) -> None:
    request = dialect(method).write_request(BASE, LEG, "code-1")
    assert (request.method, str(request.url)) == (verb, url)
    assert request.changes
    assert request.headers == {"Content-Type": "application/json"}
    wrap_up = {"code": "code-1", "disableEndTimeUpdates": True}
    assert json.loads(request.body or b"") == {"wrapup": wrap_up}


def test_the_end_time_may_move_where_that_was_asked_for() -> None:
    request = dialect(keep_end_time=False).write_request(BASE, LEG, "code-1")
    assert json.loads(request.body or b"") == {"wrapup": {"code": "code-1"}}


@pytest.mark.parametrize(
    ("medium", "family"), [("callback", "callbacks"), ("message", "messages"), ("email", "emails")]
)
def test_a_medium_has_routes_of_its_own(medium: str, family: str) -> None:
    leg = LegAddress("c-1", "p-1", "m-1", medium)
    url = dialect("call").write_request(BASE, leg, "code-1").url
    assert url.path == f"/api/v2/conversations/{family}/c-1/participants/p-1"
    generic = dialect().write_request(BASE, leg, "code-1").url
    assert generic.path == "/api/v2/conversations/c-1/participants/p-1"


@pytest.mark.parametrize(
    "leg", [LegAddress("c-1", "p-1", "x", "chat"), LegAddress("c-1", "p-1", None, "voice")]
)
def test_a_leg_that_a_method_can_not_name_is_not_sent(leg: LegAddress) -> None:
    with pytest.raises(BadRequest, match=r"not sent: .*WRAP_UP_METHOD=participant"):
        dialect("communication").write_request(BASE, leg, "code-1")


@pytest.mark.parametrize(
    ("wrong", "segment"), [("a/../b", "a%2F..%2Fb"), ("a?b#c", "a%3Fb%23c"), ("a b", "a%20b")]
)
def test_an_id_never_leaves_its_segment(wrong: str, segment: str) -> None:
    leg = LegAddress(wrong, wrong, wrong, "voice")
    url = dialect("communication").write_request(BASE, leg, "code-1").url
    assert url.raw_path == (
        f"/api/v2/conversations/calls/{segment}/participants/{segment}"
        f"/communications/{segment}/wrapup"
    )
    assert (url.query_string, url.fragment) == ("", "")


@pytest.mark.parametrize(
    "code",
    [
        "conversation.error.participant.no.active.conversations",
        "participant.no.active.conversations",
        "conversation.error.call.disconnected",
    ],
)
def test_a_wrap_up_that_is_taken_no_more(code: str) -> None:
    error = failure(400, code)
    assert isinstance(error, WrapUpClosed)
    assert not error.retriable
    assert (error.status, error.code, error.correlation_id) == (400, code, "c-9")
    assert type(failure(400, code, changes=False)) is BadRequest


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (400, "not.a.user", BadRequest, "GENESYS_CLOUD_REFRESH_TOKEN"),
        (400, "conversation.error.wrapup.code.required", BadRequest, "DISPOSITION_CODE_ID"),
        (400, "missing.wrapup.code", BadRequest, "DISPOSITION_CODE_ID"),
        (400, "bad.request", BadRequest, "will not take this request"),
        (403, "missing.any.permissions", Forbidden, "conversation:participant:wrapup"),
        (403, "not.authorized", Forbidden, "divisions"),
        (404, "conversation.error.not.conversation.participant", BadRequest, "nobody in the conv"),
        (404, "not.found", BadRequest, "doctor --conversation"),
        (410, "", BadRequest, "doctor --conversation"),
        (409, "conflict", ServerError, "look again"),
        (412, "", ServerError, "look again"),
        (429, "too.many.requests", RateLimited, "rate limit used up"),
        (500, "internal.server.error", ServerError, "may succeed later"),
        (504, "request.timeout", ServerError, "may succeed later"),
    ],
)
def test_what_an_answer_to_a_write_means(
    status: int, code: str, kind: type[ApiError], said: str
) -> None:
    error = failure(status, code)
    assert type(error) is kind
    assert said in str(error)
    assert f"in words: {code}".strip() in str(error)


def test_a_write_in_doubt_is_looked_after() -> None:
    in_doubt = {status: failure(status).maybe_applied for status in (400, 403, 404, 409, 429, 500)}
    assert in_doubt == {400: False, 403: False, 404: False, 409: True, 429: False, 500: True}
    assert not failure(409, changes=False).maybe_applied


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (403, Forbidden, "conversation:communication:view"),
        (404, NotFound, "no such"),
        (503, ServerError, "may succeed later"),
    ],
)
def test_what_an_answer_to_a_look_means(status: int, kind: type[ApiError], said: Any) -> None:
    error = failure(status, changes=False)
    assert type(error) is kind
    assert said in str(error)


def test_a_403_names_no_scope_that_genesys_does_not_have() -> None:
    assert "interaction:" not in str(failure(403))
