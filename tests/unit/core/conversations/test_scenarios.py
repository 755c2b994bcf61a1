"""Twenty scenarios of a contact centre through the core, with a clock that is no clock.

Each file in ``scenarios/`` has a conversation's events in the order of their arrival, what the API
answers from when on, and what is right.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.core.conversations.policy import WrapUpPolicy
from streams.core.records import Verdict
from streams.timestamps import epoch_ms
from tests.support.conversation_desk import Cloud, Desk, parsed

SCENARIOS = {path.stem: path for path in sorted((Path(__file__).parent / "scenarios").iterdir())}

ALLOWED = {"look-planned", "look-joined", "duplicate-event", "no-agent-leg", "event-not-needed"}

# Why the legs that are left alone are, where it can not be told from the scenario.
LEFT = {
    "inbound-agent-codes": {"ann": "wrap-up-already-set"},
    "codes-during-grace": {"ben": "wrap-up-already-set"},
    "blind-transfer": {"ann": "eligible", "ben": "wrap-up-already-set"},
    "consult-transfer": {"ann": "wrap-up-already-set", "cho": "eligible"},
    "no-answer-requeue": {"ann": "not-connected", "ben": "eligible"},
    "reject-then-abandon": {"ann": "not-connected"},
    "outbound-campaign": {"ben": "campaign"},
    "callback": {},
    "same-agent-three-alerts": {
        "ann-1": "not-connected",
        "ann-2": "not-connected",
        "ann-3": "eligible",
    },
    "optional-skipped": {"ann": "eligible"},
}


def at(time: str) -> int:
    moment = epoch_ms(time)
    assert moment is not None
    return moment


def play(name: str, **changes: Any) -> tuple[Desk, dict[str, Any]]:
    scenario = json.loads(SCENARIOS[name].read_text())
    assumes = scenario["assumes"]
    settings = {
        "code": assumes["wrapupCodeToSet"],
        "none_codes": frozenset(assumes["codesThatCountAsNone"]),
        "media": frozenset(medium.lower() for medium in assumes["media"]),
        "threshold_ms": assumes["minConnectedMs"],
    }
    states = [(at(each["from"]), each["conversation"]) for each in scenario["get"]["states"]]
    visible_ms = scenario.get("answers", {}).get("visibleAfterSeconds", 1) * 1000
    taken = [(at(event["time"]), event) for event in scenario["events"]]
    log = [(time, event) for time, raw in taken for event in parsed([raw])]
    # They reach Kafka in the order of the file.
    latest = 0
    arrivals = []
    for time, event in log:
        latest = max(latest, time)
        arrivals.append((latest, event))
    desk = Desk(arrivals, Cloud(states, visible_ms=visible_ms), WrapUpPolicy(**settings | changes))
    desk.live()
    return desk, scenario


def key_of(scenario: dict[str, Any], desk: Desk) -> dict[str, str]:
    """The reason for each leg by its short name."""
    names = scenario["participants"]
    return {names[leg]: reason for leg, (_, reason) in desk.on_legs().items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_right_is_done(name: str) -> None:
    desk, scenario = play(name)
    expected = scenario["expected"]
    assert sorted(leg for _, leg in desk.cloud.patches) == sorted(
        each["participantId"] for each in expected["set"]
    )
    not_before = {each["participantId"]: at(each["notBefore"]) for each in expected["set"]}
    assert all(time >= not_before[leg] for time, leg in desk.cloud.patches)
    assert all(code == scenario["assumes"]["wrapupCodeToSet"] for *_, code in desk.cloud.applied)
    done = {leg for leg, told in desk.on_legs().items() if told == ("patched", "eligible")}
    assert done == set(not_before)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_event_has_its_one_outcome(name: str) -> None:
    desk, _ = play(name)
    assert set(desk.on_records()) == set(range(len(desk.log)))
    assert {reason for _, reason in desk.on_records().values()} <= ALLOWED
    assert desk.record().look is None
    assert not desk.record().waiting
    assert not desk.record().open


@pytest.mark.parametrize("name", LEFT)
def test_every_leg_says_why(name: str) -> None:
    desk, scenario = play(name)
    assert key_of(scenario, desk) == LEFT[name]


@pytest.mark.parametrize("name", ["message", "message-reopened", "callback"])
def test_a_medium_that_is_not_asked_for_costs_no_call(name: str) -> None:
    desk, _ = play(name)
    assert desk.cloud.gets == []
    assert set(desk.on_records().values()) == {("ineligible", "event-not-needed")}


@pytest.mark.parametrize("name", ["abandoned-in-queue", "voicemail", "user-to-user"])
def test_nobody_is_there_to_code(name: str) -> None:
    desk, _ = play(name)
    assert desk.on_legs() == {}
    assert ("ineligible", "no-agent-leg") in desk.on_records().values()


def test_a_callback_is_set_when_callbacks_are_asked_for() -> None:
    desk, scenario = play("callback", media=frozenset({"callback"}))
    assert key_of(scenario, desk) == {"ann": "eligible"}
    assert len(desk.cloud.patches) == 1


def test_a_message_that_is_opened_again_has_a_new_leg() -> None:
    desk, scenario = play("message-reopened", media=frozenset({"message"}))
    assert key_of(scenario, desk) == {"ben-1": "eligible", "cho-2": "eligible"}
    first, second = (time for time, _ in desk.cloud.patches)
    assert first >= at("2026-05-11T09:04:20.100Z")
    assert second >= at("2026-05-11T10:12:40.100Z")


def test_a_campaign_is_set_when_the_operator_asks_for_it() -> None:
    desk, scenario = play("outbound-campaign", campaigns="set")
    assert key_of(scenario, desk) == {"ben": "eligible"}


def test_of_a_transfer_the_last_leg_alone() -> None:
    desk, scenario = play("blind-transfer", legs="last")
    assert key_of(scenario, desk) == {"ann": "not-the-last-leg", "ben": "wrap-up-already-set"}
    assert desk.cloud.patches == []


def test_a_dry_run_sends_nothing() -> None:
    desk, _ = play("inbound-acw-timeout", dry_run=True, code=None)
    (told,) = desk.on_legs().values()
    assert told == ("would-patch", "eligible")
    assert desk.cloud.patches == []


@pytest.mark.parametrize(
    ("name", "gets", "writes"),
    [
        # One look for the end of the after-call work, and one that verifies the code.
        ("inbound-acw-timeout", 2, 1),
        ("pending-past-grace", 2, 1),
        ("outbound-manual", 2, 1),
        ("out-of-order-and-twice", 2, 1),
        ("optional-skipped", 2, 1),
        ("consult-transfer", 2, 1),
        # Agents who were only alerted cost nothing.
        ("no-answer-requeue", 2, 1),
        ("same-agent-three-alerts", 2, 1),
        # An event has named the code.
        ("inbound-agent-codes", 0, 0),
        ("codes-during-grace", 0, 0),
        # Nobody talked.
        ("abandoned-in-queue", 1, 0),
        ("voicemail", 1, 0),
        ("reject-then-abandon", 1, 0),
        ("user-to-user", 1, 0),
        # The first agent was timed out while the second one talked.
        ("blind-transfer", 3, 1),
        # The code shows 8 s after it was accepted.
        ("accepted-then-visible-late", 3, 1),
    ],
)
def test_what_a_call_costs(name: str, gets: int, writes: int) -> None:
    desk, _ = play(name)
    assert (len(desk.cloud.gets), len(desk.cloud.patches)) == (gets, writes)


def test_a_code_that_shows_late_is_not_sent_again() -> None:
    desk, _ = play("accepted-then-visible-late")
    (verdict,) = [each for key, each in desk.final().items() if key[0] == "leg"]
    assert isinstance(verdict, Verdict)
    assert (verdict.patch_status, verdict.recovered) == (202, False)
    assert len(desk.cloud.patches) == 1
