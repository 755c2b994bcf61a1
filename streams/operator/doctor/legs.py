"""What would be done with one conversation, leg by leg, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from streams.clock import rfc3339
from streams.core.conversations.conversation import Participant
from streams.core.conversations.legs import Leave, SetNow, WaitUntil
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.rehearsal import JudgedLeg
from streams.core.records import Reason
from streams.operator.doctor.check import Check, ok

# Why a leg is left, in words. The variables are those that change it.
_WHY: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.NOT_CONNECTED: "its agent was never connected",
        Reason.TOO_SHORT: "it was connected for less than DURATION_THRESHOLD_MS",
        Reason.NON_VOICE: "its medium is not in WRAP_UP_MEDIA",
        Reason.WRAP_UP_SET: "it has a code, which is none of WRAP_UP_NONE_CODES",
        Reason.WRAP_UP_NOT_REQUIRED: "its queue asks for no code",
        Reason.CAMPAIGN: "the call is a campaign's, and WRAP_UP_CAMPAIGNS is leave",
        Reason.NOT_THE_LAST_LEG: "another leg ended later, and WRAP_UP_LEGS is last",
    }
)


def shown(each: JudgedLeg, policy: WrapUpPolicy) -> Check:
    """One leg in one line."""
    code = policy.code or "a code (DISPOSITION_CODE_ID is not set)"
    match each.judgement:
        case SetNow() if policy.dry_run:
            found = f"it would get {code}, were it not for DRY_RUN: eligible"
        case SetNow():
            found = f"it gets {code} now: eligible"
        case WaitUntil(at):
            found = (
                f"its agent has time for a code until {rfc3339(at / 1000)}; without one it gets "
                f"{code} then"
            )
        case Leave(reason):
            found = f"it is left alone: {reason}: {_WHY.get(reason, 'see docs/operations.md')}"
    return ok(named(each.participant), f"{found} ({_facts(each)})")


def named(leg: Participant) -> str:
    return f"leg {leg.id}"


def _facts(each: JudgedLeg) -> str:
    leg = each.participant
    routed = leg.routed
    codes = ", ".join(
        f"{wrap_up.code or 'no code'}{' not saved yet' if wrap_up.provisional else ''}"
        for wrap_up in leg.wrap_ups
    )
    facts = {
        "agent": leg.user_id,
        "queue": leg.queue_id,
        "medium": routed.medium if routed else None,
        "connected": f"{each.duration_ms / 1000:.1f} s",
        "prompt": leg.wrapup_prompt,
        "wrap-up": codes or "none",
    }
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
