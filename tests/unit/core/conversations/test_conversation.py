"""What a conversation and its participants are, whatever of them is missing."""

from __future__ import annotations

from typing import Any

import pytest

from streams.core.conversations.conversation import Conversation, Participant, WrapUp
from tests.support.conversations import as_read

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
    return as_read({"id": "c-1", "participants": list(participants)} | fields)


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


@pytest.mark.parametrize("field", [name for name in AGENT if name != "id"])
def test_any_field_may_be_missing_or_null(field: str) -> None:
    read(AGENT | {field: None})
    read({name: value for name, value in AGENT.items() if name != field})


def test_the_wrap_ups_of_the_participant_and_its_communications() -> None:
    found = agent(
        wrapup={"code": "a", "provisional": None},
        calls=[CALL | {"wrapup": {"code": "b", "provisional": True}}],
        callbacks=[{"wrapup": {"code": None}}],
    )
    assert set(found.wrap_ups) == {WrapUp("a"), WrapUp("b", True)}


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
    assert agent(queueId="q/1").queue_id is None
    assert read(AGENT | {"id": "a b"}).legs == ()


@pytest.mark.parametrize("time", ["", "yesterday", "9999-99-99T00:00:00Z"])
def test_a_time_that_can_not_be_read_counts_as_missing(time: str) -> None:
    assert agent(endTime=time, calls=[]).ended is None
