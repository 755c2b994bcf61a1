"""A conversation is read whatever of it is missing, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.conversations.conversation import (
    Conversation,
    Participant,
    WrapUp,
    read_conversation,
)
from streams.errors import BadRequest

CALL: dict[str, Any] = {
    "id": "call-1",
    "state": "terminated",
    "connectedTime": "2026-05-11T09:00:25.000Z",
    "disconnectedTime": "2026-05-11T09:03:20.100Z",
}
AGENT: dict[str, Any] = {
    "id": "p-1",
    "purpose": "agent",
    "userId": "u-1",
    "queueId": "q-1",
    "connectedTime": "2026-05-11T09:00:25.000Z",
    "endTime": "2026-05-11T09:03:20.100Z",
    "wrapupRequired": True,
    "wrapupPrompt": "timeout",
    "wrapupTimeoutMs": 120_000,
    "startAcwTime": "2026-05-11T09:03:20.100Z",
    "calls": [CALL],
}


def read(*participants: Any, **fields: Any) -> Conversation:
    body = {"id": "c-1", "participants": list(participants)} | fields
    return read_conversation(json.dumps(body).encode(), "c-1")


def agent(**fields: Any) -> Participant:
    return read(AGENT | fields).participants[0]


def test_what_is_needed_is_read() -> None:
    read_agent = agent()
    assert (read_agent.id, read_agent.user_id, read_agent.queue_id) == ("p-1", "u-1", "q-1")
    assert (read_agent.wrapup_required, read_agent.wrapup_prompt) == (True, "timeout")
    assert read_agent.wrapup_timeout_ms == 120_000
    assert read_agent.connected_at == 1_778_490_025_000
    assert read_agent.ended_at == read_agent.acw_started_at == 1_778_490_200_100
    assert read_agent.acw_ended_at is None
    (call,) = read_agent.communications
    assert (call.id, call.medium, call.live) == ("call-1", "voice", False)


@pytest.mark.parametrize("field", AGENT)
def test_any_field_may_be_missing_or_null(field: str) -> None:
    read(AGENT | {field: None})
    read({name: value for name, value in AGENT.items() if name != field})


def test_null_where_a_list_or_an_object_is_expected() -> None:
    assert read(None, AGENT | {"calls": [None], "wrapup": None}).participants[0].wrap_ups == ()
    assert read_conversation(b'{"participants":null}', "c-1").participants == ()


def test_the_wrap_ups_of_the_participant_and_its_communications() -> None:
    found = agent(
        wrapup={"code": "a", "provisional": None},
        calls=[CALL | {"wrapup": {"code": "b", "provisional": True}}],
        callbacks=[{"wrapup": {"code": None}}],
    )
    assert set(found.wrap_ups) == {WrapUp("a"), WrapUp("b", True), WrapUp(None)}


@pytest.mark.parametrize(
    ("state", "live"),
    [
        ("disconnected", False),
        ("terminated", False),
        ("TERMINATED", False),
        ("connected", True),
        ("alerting", True),
        ("scheduled", True),
        (None, True),
    ],
)
def test_over_once_no_communication_lives(state: str | None, live: bool) -> None:
    assert read(AGENT | {"calls": [CALL | {"state": state}]}).over is not live
    assert read(AGENT | {"calls": [CALL | {"state": state}]}, endTime="2026-05-11T09:04:00Z").over


@pytest.mark.parametrize("lists", [["calls", "callbacks"], ["callbacks", "calls"]])
def test_the_medium_does_not_depend_on_what_is_read_first(lists: list[str]) -> None:
    fields = {name: [{"id": name, "state": "terminated"}] for name in lists}
    routed = read(fields | {"id": "p-1", "purpose": "agent"}).participants[0].routed
    assert routed is not None
    assert routed.id == "callbacks"


def test_of_several_calls_the_one_connected_last() -> None:
    later = CALL | {"id": "call-2", "connectedTime": "2026-05-11T09:02:00.000Z"}
    routed = agent(calls=[later, CALL, {"id": "call-3"}]).routed
    assert routed is not None
    assert routed.id == "call-2"


def test_ids_that_may_not_go_into_a_path_count_as_missing() -> None:
    assert agent(id="../other").id is None
    assert agent(queueId="q" * 129).queue_id is None
    assert read(AGENT | {"id": "a b"}).legs == ()


@pytest.mark.parametrize("time", ["", "yesterday", "9999-99-99T00:00:00Z"])
def test_a_time_that_can_not_be_read_counts_as_missing(time: str) -> None:
    assert agent(endTime=time, calls=[]).ended is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'{"id":"c-2"}',
        b'{"id":7}',
        b'{"participants":{}}',
        b'{"participants":[7]}',
        b'{"participants":[{"calls":[7]}]}',
        b'{"participants":[{"connectedTime":7}]}',
        b'{"endTime":"\xff"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_conversation_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        read_conversation(body, "c-1", status=200, correlation_id="cid-1")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
    assert (caught.value.status, caught.value.correlation_id) == (200, "cid-1")


names = st.sampled_from([*AGENT, *CALL, "wrapup", "callbacks", "messages", "code", "provisional"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200)
values = st.recursive(
    leaves | st.just(CALL) | st.just(AGENT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=15,
)


@given(
    st.binary()
    | st.builds(
        lambda participants, rest: json.dumps({"participants": participants} | rest).encode(),
        st.lists(st.dictionaries(names, values, max_size=8), max_size=3) | values,
        st.dictionaries(st.sampled_from(["id", "endTime", "x"]), values, max_size=2),
    )
)
def test_whatever_comes_is_a_conversation_or_our_own_error(body: bytes) -> None:
    try:
        found = read_conversation(body, "c-1")
    except BadRequest:
        return
    assert type(found.over) is bool
    assert type(found.latest) is int
    for leg in found.legs:
        assert leg.routed is None or leg.routed in leg.communications
        assert type(leg.connected_from) in (int, type(None))
