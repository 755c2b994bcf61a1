"""What must become of each leg: said from what happened, and not from what GET shows.

It is slow and obvious on purpose, and shares nothing with the worker, which it checks.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.clock import rfc3339
from streams.local.conversations.history import History, Leg
from streams.local.conversations.scenario import Expected, LeftLeg, SetLeg

# Prompts whose after-call work Genesys itself ends when its time is over.
_TIMED = frozenset({"timeout", "forcedTimeout", "agentRequested"})


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decisions depend on; defaults are the contract's. Times in milliseconds."""

    none_codes: frozenset[str] = frozenset({"ININ-WRAP-UP-TIMEOUT", "ININ-WRAP-UP-SKIPPED"})
    media: frozenset[str] = frozenset({"voice"})
    threshold_ms: int = 30_000
    margin_ms: int = 10_000
    patience_ms: int = 900_000
    last_leg_only: bool = False
    campaigns: bool = False


def expected(history: History, rules: Rules, *, refused: bool = False) -> Expected:
    """What is right for each agent's leg. ``refused``: Genesys takes no code for any of them."""
    over = history.over_ms()
    found = Expected(over_from=rfc3339(over / 1000))
    for leg in history.agents:
        why = reason_to_leave(history, leg, rules)
        if why is not None:
            found.leave.append(LeftLeg(leg.id, why))
        elif refused:
            found.refused.append(LeftLeg(leg.id, "wrap-up-closed"))
        else:
            not_before = max(over, grace_over_ms(leg, rules))
            found.set.append(SetLeg(leg.id, rfc3339(not_before / 1000), "eligible"))
    return found


def reason_to_leave(history: History, leg: Leg, rules: Rules) -> str | None:
    """Why a leg must get no code, in the contract's words and in its order; None if it must."""
    code = leg.work.code if leg.work is not None else None
    if leg.talked_ms is None:
        return "not-connected"
    if leg.talked_ms < rules.threshold_ms:
        return "duration-below-threshold"
    if leg.medium not in rules.media:
        return "non-voice-interaction"
    if code is not None and code not in rules.none_codes:
        return "wrap-up-already-set"
    if leg.prompt is None:
        return "wrap-up-not-required"
    if history.campaign_id is not None and not rules.campaigns:
        return "campaign"
    if rules.last_leg_only and leg is not max(history.agents, key=lambda each: each.end_ms):
        return "not-the-last-leg"
    return None


def grace_over_ms(leg: Leg, rules: Rules) -> int:
    """When the agent has had the time that is the agent's."""
    if leg.work is None:
        return leg.end_ms
    if leg.work.end_ms is not None:
        return leg.work.end_ms
    if leg.prompt in _TIMED and leg.timeout_ms is not None:
        return leg.work.start_ms + leg.timeout_ms + rules.margin_ms
    return leg.work.start_ms + rules.patience_ms
