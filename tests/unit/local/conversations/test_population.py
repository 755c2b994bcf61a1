"""Conversations from a seed: always the same, of every kind, and whole."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from streams.local.conversations.population import conversation, conversations, delivered
from streams.local.conversations.scenario import Scenario
from streams.local.conversations.stories import STORIES
from streams.timestamps import epoch_ms

MANY = list(conversations(1, 300))


def agents(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in state["participants"] if each["purpose"] == "agent"]


def last(told: Scenario) -> dict[str, Any]:
    return told.get.states[-1].conversation


def test_a_seed_always_gives_the_same() -> None:
    assert list(conversations(1, 20)) == MANY[:20]
    assert conversation(1, 7) == MANY[7]
    assert conversation(2, 7) != MANY[7]


def test_every_kind_is_told() -> None:
    kinds = {told.id.split("-", 2)[2] for told in MANY}
    assert kinds == set(STORIES)


def test_every_ending_is_there() -> None:
    reasons = Counter(leg.why for told in MANY for leg in told.expected.leave)
    assert set(reasons) == {
        "not-connected",
        "duration-below-threshold",
        "non-voice-interaction",
        "wrap-up-already-set",
        "campaign",
    }
    assert sum(len(told.expected.set) for told in MANY) > 60
    assert any(told.expected.refused for told in MANY)
    assert any(told.answers.visible_after_seconds for told in MANY)


def test_each_leg_of_an_agent_is_in_the_truth_once() -> None:
    for told in MANY:
        right = [
            leg.participant_id
            for legs in (told.expected.set, told.expected.leave, told.expected.refused)
            for leg in legs
        ]
        assert sorted(right) == sorted(each["id"] for each in agents(last(told)))


def test_get_shows_more_and_more_until_the_end() -> None:
    for told in MANY:
        seen = [len(state.conversation["participants"]) for state in told.get.states]
        assert seen == sorted(seen)
        assert all(one.since_ms <= other.since_ms for one, other in pairwise(told.get.states))
        # Nothing that GET shows is in its future.
        for state in told.get.states:
            for text in times(state.conversation):
                assert (epoch_ms(text) or 0) <= state.since_ms
        assert last(told)["endTime"] == told.expected.over_from


def times(value: Any) -> list[str]:
    match value:
        case dict():
            return [at for key, each in value.items() for at in (
                [each] if key.endswith("Time") else times(each))]  # fmt: skip
        case list():
            return [at for each in value for at in times(each)]
        case _:
            return []


def test_over_is_when_no_communication_is_left() -> None:
    for told in MANY:
        for state in told.get.states:
            live = [
                one
                for each in state.conversation["participants"]
                for kind in ("calls", "callbacks", "messages")
                for one in each.get(kind, [])
                if one["state"] not in ("disconnected", "terminated")
            ]
            assert bool(live) != ("endTime" in state.conversation)


def test_a_leg_that_must_be_set_has_no_code_that_counts_when_its_time_has_come() -> None:
    for told in MANY:
        by_id = {each["id"]: each for each in agents(last(told))}
        for leg in told.expected.set:
            participant = by_id[leg.participant_id]
            code = participant.get("wrapup", {}).get("code", "ININ-WRAP-UP-TIMEOUT")
            assert code in ("ININ-WRAP-UP-TIMEOUT", "ININ-WRAP-UP-SKIPPED")
            assert participant["wrapupRequired"]
            assert leg.not_before >= participant["endTime"]
            assert leg.not_before >= (told.expected.over_from or "")


def test_events_come_as_eventbridge_delivers_them() -> None:
    twice = again = late = 0
    for told in MANY:
        bodies = [json.dumps(each["detail"]["eventBody"], sort_keys=True) for each in told.events]
        ids = [each["id"] for each in told.events]
        twice += len(ids) - len(set(ids))
        again += len(set(ids)) - len(set(bodies))
        moments = [each["detail"]["eventBody"]["eventTime"] for each in told.events]
        late += moments != sorted(moments)
        for event in told.events:
            name = event["detail-type"].removeprefix("v2.detail.events.conversation.{id}.")
            assert event["detail"]["topicName"].endswith(f".{told.conversation_id}.{name}")
            assert event["detail"]["eventBody"]["conversationId"] == told.conversation_id
    assert min(twice, again, late) > 10


def test_after_call_work_that_ends_is_told_with_its_code_mostly() -> None:
    ended = told_of = 0
    for each in MANY:
        codes = {
            (event["detail"]["eventBody"]["participantId"]):
            event["detail"]["eventBody"]["wrapupCode"]
            for event in each.events
            if event["detail-type"].endswith(".acw")
        }  # fmt: skip
        for leg in agents(last(each)):
            ended += "endAcwTime" in leg
            told_of += leg["id"] in codes
            assert codes.get(leg["id"], leg.get("wrapup", {}).get("code")) == leg.get(
                "wrapup", {}
            ).get("code")
    assert 0.8 * ended < told_of < ended


def test_all_are_delivered_as_they_arrive() -> None:
    arrived = [at_ms for at_ms, _ in delivered(MANY[:50])]
    assert arrived == sorted(arrived)
    assert len(arrived) == sum(len(told.events) for told in MANY[:50])


@pytest.mark.parametrize("kind", ["transferred", "consulted", "conference"])
def test_a_call_of_two_agents_has_two_legs(kind: str) -> None:
    told = next(each for each in MANY if each.id.endswith(kind))
    assert len(agents(last(told))) == 2
