"""Scenarios as data: read, checked, and moved to another time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams.local.conversations.scenario import (
    Reply,
    Scenario,
    all_moved,
    moved,
    scenario,
    scenario_of,
)
from streams.timestamps import epoch_ms

# As others write it: with fields that nobody here reads.
WRITTEN: dict[str, Any] = {
    "id": "acw-times-out",
    "title": "The after-call work times out",
    "assumes": {"minConnectedMs": 30000},
    "events": [
        {"time": "2026-03-02T09:05:20Z", "id": "e-1", "detail": {"eventBody": {
            "eventTime": 1772442320100, "conversationId": "c-1", "wrapupDurationMs": 120000}}},
        {"time": "2026-03-02T09:03:20Z", "id": "e-2", "detail": {"eventBody": {
            "eventTime": 1772442200100, "conversationId": "c-1", "wrapupNotes": "2026"}}},
    ],
    "get": {"path": "/api/v2/conversations/c-1", "states": [
        {"from": "2026-03-02T09:00:30.000Z", "conversation": {
            "id": "c-1", "startTime": "2026-03-02T09:00:00.000Z",
            "participants": [{"id": "p-1", "wrapupTimeoutMs": 120000, "wrapupRequired": True}]}},
        {"from": "2026-03-02T09:05:21.000Z", "conversation": {
            "id": "c-1", "participants": []}},
    ]},
    "answers": {"patch": {"status": 202, "body": None}, "visibleAfterSeconds": 8},
    "expected": {
        "set": [{"participantId": "p-1", "notBefore": "2026-03-02T09:05:20.100Z", "key": "ann"}],
        "leave": [{"participantId": "p-2", "why": "customer", "certainty": "certain"}],
        "overFrom": "2026-03-02T09:03:20.100Z",
        "patches": 1,
    },
}  # fmt: skip


def read(**other: Any) -> Scenario:
    return scenario(msgspec.json.encode(WRITTEN | other))


def test_what_others_write_is_read() -> None:
    told = read()
    assert told.conversation_id == "c-1"
    assert told.starts_ms == epoch_ms("2026-03-02T09:00:00Z")
    assert told.answers.patch == Reply(202)
    assert told.answers.visible_after_seconds == 8
    assert [leg.participant_id for leg in told.expected.set] == ["p-1"]
    assert [leg.why for leg in told.expected.leave] == ["customer"]


def test_a_late_event_arrives_with_the_one_that_overtook_it() -> None:
    arrivals = [(at_ms, event["id"]) for at_ms, event in read().arrivals()]
    overtaking = epoch_ms("2026-03-02T09:05:20Z")
    assert arrivals == [(overtaking, "e-1"), (overtaking, "e-2")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"get": {"states": []}},
        {"get": {"states": [{"from": "soon", "conversation": {"id": "c-1"}}]}},
        {"get": {"states": [{"from": "2026-03-02T09:00:30Z", "conversation": {}}]}},
        {"get": {"states": [*WRITTEN["get"]["states"][::-1]]}},
        {"get": {"states": [
            {"from": "2026-03-02T09:00:30Z", "conversation": {"id": name}} for name in "ab"]}},
        {"answers": {"patch": {"status": 100}}},
        {"answers": {"visibleAfterSeconds": -1}},
        {"events": None},
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        read(**wrong)


def test_moved_at_the_same_pace() -> None:
    to = epoch_ms("2026-11-26T10:00:00Z")
    assert to is not None
    later = moved(read(), to)
    assert later.starts_ms == to
    assert [state.since for state in later.get.states] == [
        "2026-11-26T10:00:30.000Z",
        "2026-11-26T10:05:21.000Z",
    ]
    assert later.expected.set[0].not_before == "2026-11-26T10:05:20.100Z"
    assert later.events[0]["detail"]["eventBody"]["eventTime"] == to + 320_100
    assert later.events[1]["detail"]["eventBody"]["wrapupNotes"] == "2026"
    assert moved(later, read().starts_ms).get == moved(read(), read().starts_ms).get


def test_moved_and_faster() -> None:
    faster = moved(read(), 0, 0.01)
    (participant,) = faster.get.states[0].conversation["participants"]
    assert participant == {"id": "p-1", "wrapupTimeoutMs": 1200, "wrapupRequired": True}
    assert faster.get.states[1].since == "1970-01-01T00:00:03.210Z"
    assert faster.answers.visible_after_seconds == pytest.approx(0.08)
    assert faster.events[0]["detail"]["eventBody"]["wrapupDurationMs"] == 1200
    with pytest.raises(ValueError, match="scale"):
        moved(read(), 0, 0)


def test_several_stay_as_far_apart() -> None:
    first, second = read(), moved(read(), read().starts_ms + 10_000)
    assert [each.starts_ms for each in all_moved([second, first], 0, 0.5)] == [5_000, 0]
    assert all_moved([], 0) == []


def test_a_scenario_is_written_as_it_is_read() -> None:
    assert scenario_of(msgspec.to_builtins(read())) == read()
