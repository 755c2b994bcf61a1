"""The conversations of a storm: told to the API before their events, and within the storm."""

from __future__ import annotations

import pytest

from streams.clock import rfc3339
from streams.local.conversations.playing import LEAD_MS
from streams.local.conversations.scenario import Get, Scenario, State
from streams.local.simulator.api import Simulator
from streams.settings import Settings
from tests.chaos.conversations import PlayedConversations, on_the_edge
from tests.chaos.judge import Wrong
from tests.chaos.plan import Plan
from tests.support.scripted import LeapingClock

PLAN = Plan(7, 40.0, events_per_second=30.0, api="conversations")


def test_each_conversation_is_known_before_its_events_and_they_come_in_time() -> None:
    clock = LeapingClock()
    began_ms = round(clock.time() * 1000)
    played, simulator = PlayedConversations(PLAN, clock), Simulator(clock=clock)
    store = simulator.conversations.store
    times = []
    for at_ms, event in played.arrivals(store):
        clock.now += max(0.0, at_ms / 1000 - clock.time())
        if event["detail-type"].endswith(".end"):
            assert store.find(event["detail"]["eventBody"]["conversationId"]) is not None
        times.append(at_ms)
    assert times == sorted(times)
    assert began_ms + LEAD_MS <= times[0]
    assert played.interactions == 82
    assert 0.8 < len(times) / (20 * PLAN.events_per_second) < 1.2


def test_what_the_bridge_skips_need_not_be_in_kafka() -> None:
    played = PlayedConversations(PLAN, LeapingClock())
    events = [event for _, event in played.arrivals(Simulator().conversations.store)]
    assert 0.3 < played.sent.total() / len(events) < 0.7
    skipped = {each["id"] for each in events if each["detail-type"].endswith(".start")}
    assert skipped
    assert not skipped & played.sent.keys()


def test_the_same_seed_plays_the_same() -> None:
    first, second, other = (
        PlayedConversations(plan, LeapingClock())
        for plan in (PLAN, PLAN, Plan(8, 40.0, events_per_second=30.0, api="conversations"))
    )
    for each in (first, second, other):
        list(each.arrivals(Simulator().conversations.store))
    assert first.rights.due.keys() == second.rights.due.keys()
    assert first.rights.due.keys().isdisjoint(other.rights.due)


def test_what_is_not_told_yet_is_waited_for() -> None:
    played, simulator = PlayedConversations(PLAN, LeapingClock()), Simulator()
    assert played.untold == 0
    list(played.arrivals(simulator.conversations.store))
    assert played.untold == len(played.rights.due) + len(played.rights.refused) > 20
    found = played.judge(simulator)
    assert len(found[Wrong.UNPATCHED]) == played.eligible
    assert len(found[Wrong.UNTOLD]) == played.untold


def with_agent(lasted_ms: int) -> Scenario:
    """A conversation whose agent was connected for so long."""
    times = {
        "connectedTime": rfc3339(1_800_000.0),
        "endTime": rfc3339(1_800_000.0 + lasted_ms / 1000),
    }
    shown = {"id": "c", "participants": [{"id": "p", "purpose": "agent", **times}]}
    return Scenario(id="s", events=[], get=Get([State(rfc3339(1_800_000.0), shown)]))


@pytest.mark.parametrize(
    ("lasted_ms", "on_edge"),
    [(60, True), (1_000, False), (29_900, True), (30_100, True), (29_000, False), (31_000, False)],
)
def test_a_leg_that_rounding_may_decide_is_not_played(lasted_ms: int, *, on_edge: bool) -> None:
    assert on_the_edge(with_agent(lasted_ms)) is on_edge


def test_its_settings_are_settings_that_are_taken() -> None:
    settings = Settings.load(
        _env_file=None, disposition_code_id="code", **PlayedConversations.settings
    )
    policy = settings.wrap_up_policy()
    assert settings.genesys_api == "conversations"
    assert policy.threshold_ms == 500
    assert policy.patience_ms == 15_000
