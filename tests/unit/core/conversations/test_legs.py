"""One leg of a conversation that is over: set now, wait until then, or leave it, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.core.conversations.conversation import (
    Communication,
    Conversation,
    Participant,
    WrapUp,
)
from streams.core.conversations.legs import (
    Judgement,
    Leave,
    SetNow,
    Setting,
    Told,
    WaitUntil,
    judge,
    last_leg,
    of_campaign,
)
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.records import Basis, Reason

ENDED = 1_000_000
CALL = Communication("call-1", "voice", "terminated", ENDED - 60_000, ENDED)
LEG = Participant(
    id="p-1",
    purpose="agent",
    connected_at=ENDED - 60_000,
    ended_at=ENDED,
    wrapup_required=True,
    wrapup_prompt="timeout",
    wrapup_timeout_ms=30_000,
    acw_started_at=ENDED,
    communications=(CALL,),
)
GRACE_END = ENDED + 30_000 + 10_000
PATIENCE_END = ENDED + 900_000
POLICY = WrapUpPolicy("ours")
TIMEOUT = WrapUp("ININ-WRAP-UP-TIMEOUT")
NO_EVENT = Told()


def judged(
    now_ms: int = GRACE_END,
    told: Told = NO_EVENT,
    *,
    policy: WrapUpPolicy = POLICY,
    others: tuple[Participant, ...] = (),
    campaign: bool = False,
    lag_ends: int = 0,
    **fields: Any,
) -> Judgement:
    leg = replace(LEG, **fields)
    conversation = Conversation("c-1", None, (leg, *others))
    setting = Setting(conversation, policy, now_ms, ENDED + 5_000, lag_ends, campaign)
    return judge(leg, told, setting)


def test_its_own_agent_has_its_time_and_a_margin() -> None:
    assert judged(GRACE_END - 1) == WaitUntil(GRACE_END)
    assert judged(GRACE_END) == SetNow()


@pytest.mark.parametrize("prompt", ["timeout", "forcedTimeout", "agentRequested"])
def test_prompts_that_genesys_ends(prompt: str) -> None:
    assert judged(ENDED, wrapup_prompt=prompt) == WaitUntil(GRACE_END)
    assert judged(ENDED, wrapup_prompt=prompt, wrapup_timeout_ms=None) == WaitUntil(PATIENCE_END)


@pytest.mark.parametrize("prompt", ["optional", "mandatory", None, "of next year"])
def test_prompts_that_nobody_ends_are_waited_for_with_patience(prompt: str | None) -> None:
    assert judged(PATIENCE_END - 1, wrapup_prompt=prompt) == WaitUntil(PATIENCE_END)
    assert judged(PATIENCE_END, wrapup_prompt=prompt) == SetNow()


def test_an_end_of_the_after_call_work_ends_the_grace_at_once() -> None:
    assert judged(ENDED + 1, acw_ended_at=ENDED + 1) == SetNow()
    assert judged(ENDED + 1, Told(acw_ended=True, code=TIMEOUT.code)) == SetNow()


def test_an_end_that_names_no_code_is_waited_for_to_be_seen() -> None:
    told = Told(acw_ended=True)
    assert judged(ENDED + 1, told, lag_ends=ENDED + 10_000) == WaitUntil(ENDED + 10_000)
    assert judged(ENDED + 10_000, told, lag_ends=ENDED + 10_000) == SetNow()
    assert judged(ENDED + 1, replace(told, lagged=True), lag_ends=ENDED + 10_000) == SetNow()
    assert judged(ENDED + 1, told, lag_ends=ENDED + 10_000, wrap_up=TIMEOUT) == SetNow()


def test_where_no_time_is_given_the_nearest_thing_counts() -> None:
    assert judged(ENDED, acw_started_at=None) == WaitUntil(GRACE_END)
    no_time: dict[str, Any] = {"acw_started_at": None, "ended_at": None}
    assert judged(ENDED, **no_time) == WaitUntil(GRACE_END)
    policy = replace(POLICY, threshold_ms=0)
    untimed = (replace(CALL, ended_at=None),)
    found = judged(ENDED, policy=policy, communications=untimed, **no_time)
    assert found == WaitUntil(GRACE_END + 5_000)


@pytest.mark.parametrize("where", ["participant", "communication"])
def test_a_code_that_counts_is_left(where: str) -> None:
    wrap_up = WrapUp("theirs")
    if where == "participant":
        found = judged(wrap_up=wrap_up)
    else:
        found = judged(wrap_up=TIMEOUT, communications=(replace(CALL, wrap_up=wrap_up),))
    assert found == Leave(Reason.WRAP_UP_SET)


def test_codes_that_count_as_none_are_a_setting() -> None:
    assert judged(wrap_up=TIMEOUT) == SetNow()
    policy = replace(POLICY, none_codes=frozenset({"theirs"}))
    assert judged(wrap_up=TIMEOUT, policy=policy) == Leave(Reason.WRAP_UP_SET)
    assert judged(wrap_up=WrapUp("theirs"), policy=policy) == SetNow()


def test_a_code_that_an_event_has_named_counts_before_the_api_shows_it() -> None:
    told = Told(acw_ended=True, code="theirs")
    assert judged(ENDED + 1, told) == Leave(Reason.WRAP_UP_SET, Basis.EVENT)
    # What the API shows of the end is newer.
    assert judged(ENDED + 1, told, acw_ended_at=ENDED, wrap_up=TIMEOUT) == SetNow()


@pytest.mark.parametrize("code", ["theirs", None])
def test_a_provisional_code_is_waited_for(code: str | None) -> None:
    picked = WrapUp(code, provisional=True)
    assert judged(ENDED, wrap_up=picked) == WaitUntil(GRACE_END)
    assert judged(GRACE_END, wrap_up=picked) == WaitUntil(PATIENCE_END)
    kept = Leave(Reason.WRAP_UP_SET) if code else SetNow()
    assert judged(PATIENCE_END, wrap_up=picked) == kept


ORDER: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.NOT_CONNECTED, {"connected_at": None, "communications": ()}),
    (Reason.TOO_SHORT, {"ended_at": ENDED - 30_001}),
    (Reason.NON_VOICE, {"communications": (replace(CALL, medium="callback"), CALL)}),
    (Reason.WRAP_UP_SET, {"wrap_up": WrapUp("theirs")}),
    (Reason.WRAP_UP_NOT_REQUIRED, {"wrapup_required": False}),
    (Reason.CAMPAIGN, {"campaign": True}),
    (
        Reason.NOT_THE_LAST_LEG,
        {
            "policy": replace(POLICY, legs="last"),
            "others": (replace(LEG, id="p-2", ended_at=ENDED + 1),),
        },
    ),
]


@pytest.mark.parametrize("number", range(len(ORDER)))
def test_the_first_reason_stands(number: int) -> None:
    reason = ORDER[number][0]
    assert judged(ENDED, **ORDER[number][1]) == Leave(reason)
    all_later = {name: value for _, fields in ORDER[number:] for name, value in fields.items()}
    assert judged(ENDED, **all_later | ORDER[number][1]) == Leave(reason)


def test_thirty_seconds_are_enough() -> None:
    assert judged(ended_at=ENDED - 30_000) == SetNow()
    assert judged(ended_at=ENDED - 90_000) == Leave(Reason.TOO_SHORT)


def test_a_campaign_is_set_when_the_operator_wants_it() -> None:
    assert judged(campaign=True, policy=replace(POLICY, campaigns="set")) == SetNow()


def test_a_dialers_code_tells_a_campaign() -> None:
    dialed = replace(LEG, purpose="customer", wrap_up=WrapUp("ININ-OUTBOUND-BUSY"))
    assert of_campaign(Conversation("c-1", None, (LEG, dialed)))
    assert not of_campaign(Conversation("c-1", None, (replace(LEG, wrap_up=TIMEOUT),)))


def test_the_last_leg_is_one_that_was_connected() -> None:
    alerted = replace(LEG, id="p-2", ended_at=ENDED + 9, connected_at=None, communications=())
    tied = replace(LEG, id="p-3")
    assert last_leg(Conversation("c-1", None, (LEG, alerted))) == LEG
    assert last_leg(Conversation("c-1", None, (LEG, tied))) == tied
    assert last_leg(Conversation("c-1", None, (alerted,))) is None
