"""The demo's verdict on conversations: right as the core decides, wrong however it is spoiled."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from streams.local.conversations.rights import LegKey
from streams.local.demo.leg_account import ConversationLedger
from streams.local.demo.pipeline import lengths
from tests.support.played_conversations import POLICY, Played, scenarios

WELL = Played.of(scenarios(1, 120))


@pytest.fixture
def run() -> Played:
    # The scenarios are many, and nobody spoils them.
    ledger, delivery, writes = deepcopy((WELL.ledger, WELL.delivery, WELL.writes))
    return replace(WELL, ledger=ledger, delivery=delivery, writes=writes)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_what_the_core_decides_is_right(seed: int) -> None:
    assert Played.of(scenarios(seed, 100)).account().deviations == ()


def test_a_run_in_which_all_went_well_passes(run: Played) -> None:
    account = run.account()
    assert account.deviations == ()
    assert account.passed
    assert account.sent == account.accepted + run.delivery.skipped
    assert account.records == account.decided == account.accepted
    assert account.conversations == 120
    assert account.due == account.set_once > 30
    assert account.legs > account.due + account.refused
    assert account.refused > 0
    assert account.early == 0
    assert account.gets is not None
    assert 1 <= account.gets < 6
    assert account.answers["patched", "eligible"] == account.due
    assert {"noted", "duplicate", "ineligible", "patched", "refused"} == {
        decision for decision, _ in account.answers
    }


def test_the_demos_settings_are_those_that_the_core_was_tried_with() -> None:
    of = lengths("conversations")
    seconds = {name: float(text) for name, text in of.items() if name.endswith("_SECONDS")}
    assert {name: round(each * 1000) for name, each in seconds.items()} == {
        "LAG_WINDOW_SECONDS": POLICY.lag_window_ms,
        "WRAP_UP_MARGIN_SECONDS": POLICY.margin_ms,
        "WRAP_UP_PATIENCE_SECONDS": POLICY.patience_ms,
        "WRAP_UP_VERIFY_SECONDS": POLICY.verify_ms,
    }
    assert of["DURATION_THRESHOLD_MS"] == str(POLICY.threshold_ms)


def some_leg(run: Played, decision: str) -> LegKey:
    return next(key for key, told in run.ledger.legs.items() if told[0]["decision"] == decision)


def write_to(run: Played, key: LegKey) -> dict[str, Any]:
    return next(
        each for each in run.writes if (each["conversationId"], each["participantId"]) == key
    )


def lose_an_outcome(run: Played) -> None:
    run.ledger.final.popitem()


def tell_an_outcome_twice(run: Played) -> None:
    place = next(iter(run.ledger.final))
    run.ledger.final[place] *= 2


def lose_a_legs_outcome(run: Played) -> None:
    del run.ledger.legs[some_leg(run, "patched")]


def lose_the_outcome_of_a_leg_that_is_left(run: Played) -> None:
    lost = next(
        key
        for key, told in run.ledger.legs.items()
        if told[0]["reason"] == "duration-below-threshold" and run.gets[key[0]]
    )
    del run.ledger.legs[lost]


def test_what_nobody_asked_for_needs_no_outcome(run: Played) -> None:
    """An agent who was only alerted, in a conversation in which no code was sent."""
    coded = {each["conversationId"] for each in run.writes}
    alerted = [
        key
        for key, told in run.ledger.legs.items()
        if told[0]["reason"] == "not-connected" and key[0] not in coded
    ]
    assert alerted
    del run.ledger.legs[alerted[0]]
    assert run.account().passed


def tell_a_leg_twice(run: Played) -> None:
    run.ledger.legs[some_leg(run, "patched")] *= 2


def tell_of_a_leg_that_there_is_not(run: Played) -> None:
    run.ledger.legs["c-x", "p-x"] = run.ledger.legs[some_leg(run, "patched")]


def decide_a_leg_otherwise(run: Played) -> None:
    key = some_leg(run, "patched")
    run.ledger.legs[key] = [{**run.ledger.legs[key][0], "reason": "not-visible"}]


def leave_a_leg_for_another_reason(run: Played) -> None:
    key = some_leg(run, "ineligible")
    run.ledger.legs[key] = [{**run.ledger.legs[key][0], "reason": "not-the-last-leg"}]


def set_no_code(run: Played) -> None:
    run.writes.remove(write_to(run, some_leg(run, "patched")))


def set_a_code_twice(run: Played) -> None:
    run.writes.append(write_to(run, some_leg(run, "patched")))


def set_a_code_where_none_belongs(run: Played) -> None:
    conversation_id, participant_id = some_leg(run, "ineligible")
    given = write_to(run, some_leg(run, "patched"))
    run.writes.append(given | {"conversationId": conversation_id, "participantId": participant_id})


def set_a_code_too_early(run: Played) -> None:
    write_to(run, some_leg(run, "patched"))["atMs"] -= 60_000


def lose_an_event(run: Played) -> None:
    place = next(iter(run.ledger.records))
    del run.ledger.records[place]
    del run.ledger.final[place]


def have_an_event_too_many(run: Played) -> None:
    run.ledger.records[999, 0] = run.ledger.records[next(iter(run.ledger.records))]
    run.ledger.final[999, 0] = run.ledger.final[next(iter(run.ledger.final))]


def refuse_an_event(run: Played) -> None:
    run.delivery.accepted -= 1
    run.delivery.refuse("401 no key")
    lose_an_event(run)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_an_outcome, "events without a final outcome: 1 ("),
        (tell_an_outcome_twice, "events with more than one final outcome: 1 ("),
        (lose_a_legs_outcome, "legs that were looked at and have no outcome: 1 ("),
        (
            lose_the_outcome_of_a_leg_that_is_left,
            "legs that were looked at and have no outcome: 1 (",
        ),
        (tell_a_leg_twice, "legs with more than one final outcome: 1 ("),
        (tell_of_a_leg_that_there_is_not, "outcomes of legs that there are not: 1 ("),
        (decide_a_leg_otherwise, "patched/not-visible instead of patched/eligible"),
        (leave_a_leg_for_another_reason, "is ineligible/not-the-last-leg instead of "),
        (set_no_code, "legs without their code: 1 ("),
        (set_a_code_twice, "legs that got it more than once: 1 ("),
        (set_a_code_where_none_belongs, "legs that got it and must not: 1 ("),
        (set_a_code_too_early, "codes sent before the agent's own time was over: 1 ("),
        (lose_an_event, "events that are not in Kafka: 1"),
        (have_an_event_too_many, "events in Kafka more often than they were sent: 1"),
        (refuse_an_event, "events that the bridge did not take: 1 (401 no key)"),
    ],
)
def test_each_deviation_fails_the_run_and_is_named(
    run: Played, spoil: Callable[[Played], None], said: str
) -> None:
    spoil(run)
    account = run.account()
    assert not account.passed
    assert any(said in each for each in account.deviations), account.deviations


def test_what_is_not_final_is_ignored() -> None:
    ledger = ConversationLedger()
    ledger.enter({"final": False, "decision": "deferred", "reason": "timeout"}, 0)
    assert (ledger.answers, ledger.final, ledger.legs) == ({}, {}, {})


def test_records_are_read_as_they_are_in_kafka() -> None:
    ledger = ConversationLedger()
    ledger.read_event((1, 7), b'{"detail":{"eventBody":{"conversationId":"c-1"}}}', 1_000)
    assert not ledger.complete
    ledger.read_outcome(
        b'{"final":true,"interactionId":"c-1","decision":"noted","reason":"look-planned",'
        b'"leg":null,"source":{"partition":1,"offset":7}}',
        3_500,
    )
    assert ledger.complete
    assert ledger.latencies_ms() == [2_500]
