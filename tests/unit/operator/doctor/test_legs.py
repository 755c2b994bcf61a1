"""What the doctor says of one conversation's legs."""

from __future__ import annotations

from typing import Any

import pytest

from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.rehearsal import judged
from streams.operator.doctor.legs import shown
from tests.support.conversations import agent, as_read, conversation

POLICY = WrapUpPolicy(code="code-7")

# 09:05:30.100: the end of the after-call work, its time-out and the margin.
DUE_MS = 1_772_442_330_100


def line(now_ms: int = DUE_MS, policy: WrapUpPolicy = POLICY, **leg: Any) -> str:
    (each,) = judged(as_read(conversation(agent(**leg))), policy, now_ms)
    return str(shown(each, policy))


def test_a_leg_that_is_due() -> None:
    assert line() == (
        "ok       leg p-1: it gets code-7 now: eligible (agent u-1, queue q-1, medium voice, "
        "connected 175.1 s, prompt timeout, wrap-up none)"
    )
    assert "were it not for DRY_RUN" in line(policy=WrapUpPolicy(code="code-7", dry_run=True))
    assert "DISPOSITION_CODE_ID is not set" in line(policy=WrapUpPolicy(code=None, dry_run=True))


def test_an_agent_that_has_time_left() -> None:
    assert "has time for a code until 2026-03-02T09:05:30.100Z" in line(DUE_MS - 1)


@pytest.mark.parametrize(
    ("leg", "reason"),
    [
        ({"connectedTime": None}, "not-connected"),
        ({"connectedTime": "2026-03-02T09:03:19.000Z"}, "duration-below-threshold"),
        ({"calls": [], "messages": [{"id": "m"}]}, "non-voice-interaction"),
        ({"wrapup": {"code": "chosen"}}, "wrap-up-already-set"),
        ({"wrapupRequired": False}, "wrap-up-not-required"),
        ({"wrapup": {"code": "ININ-OUTBOUND-BUSY"}}, "wrap-up-already-set"),
    ],
)
def test_a_leg_that_is_left_and_why(leg: dict[str, Any], reason: str) -> None:
    assert f"left alone: {reason}: " in line(**leg)


def test_a_campaigns_call() -> None:
    assert "left alone: campaign: " in line(attributes={"dialerCampaignId": "campaign-1"})


def test_codes_are_shown_as_they_stand() -> None:
    wrap_up = {"code": "picked", "provisional": True}
    assert "wrap-up picked not saved yet)" in line(wrapup=wrap_up)
