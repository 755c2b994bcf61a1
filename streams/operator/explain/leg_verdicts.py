"""Decisions about conversations, each as one plain sentence like those of ``verdicts``. Pure."""

from __future__ import annotations

from streams.core.records import Basis, Decision, Reason
from streams.lengths import length
from streams.wire.outcomes import Outcome


def sentence(outcome: Outcome) -> str:
    """Of a decision that is only made about conversations."""
    match outcome.decision:
        case Decision.REFUSED:
            said = f": {outcome.error.message}" if outcome.error is not None else ""
            return (
                f"no code: Genesys Cloud takes none for this leg any more{said}; sent sooner it "
                "might have been taken (WRAP_UP_MARGIN_SECONDS, WRAP_UP_PATIENCE_SECONDS)"
            )
        case Decision.UNCONFIRMED:
            status = "" if outcome.patch_status is None else f" ({outcome.patch_status})"
            code = f"the code {outcome.disposition_code_id}{status}"
            return (
                f"not known: Genesys Cloud accepted {code}, and did not show it within "
                "WRAP_UP_VERIFY_SECONDS; shown by then it would count as set: look at the "
                "leg there, and quote the call's correlation id"
            )
        case _:
            return _noted(outcome.reason)


def _noted(reason: Reason) -> str:
    """What a source record has brought about, when it decides nothing by itself."""
    if reason is Reason.LOOK_JOINED:
        return "noted: a look at the conversation was planned already, and serves this event too"
    return "noted: a look at the conversation was planned for it; each leg's decision is its own"


def without_a_leg(reason: Reason) -> str | None:
    """Why a source record of a conversation comes to nothing; None for a reason that is not on
    one."""
    match reason:
        case Reason.NO_AGENT_LEG:
            return (
                "the conversation is over and had no agent; an agent's leg would have been looked "
                "at"
            )
        case Reason.EVENT_NOT_NEEDED:
            return (
                "no look was needed for this event: its medium is not asked for, it tells of a "
                "campaign or of an agent who was only alerted, or what it tells was decided "
                "before; another event of the conversation may plan one"
            )
        case _:
            return None


def of_a_leg(outcome: Outcome, threshold_ms: int) -> str | None:
    """Why a leg gets no code; None for a reason that is not on one. ``threshold_ms``: the
    DURATION_THRESHOLD_MS of today."""
    match outcome.reason:
        case Reason.NOT_CONNECTED:
            return (
                "the agent was alerted and never connected; a leg that was connected for "
                f"{length(threshold_ms)} would have been set"
            )
        case Reason.NON_VOICE if outcome.leg is not None:
            medium = outcome.leg.medium or "which is not told"
            return (
                f"its medium, {medium}, is not asked for; with it in WRAP_UP_MEDIA it would have "
                "been looked at"
            )
        case Reason.WRAP_UP_SET if outcome.leg is not None:
            who = "an event says" if outcome.basis is Basis.EVENT else "Genesys Cloud says"
            return (
                f"{who} that it has a wrap-up code; without one, or with one of "
                "WRAP_UP_NONE_CODES, it would have been set"
            )
        case Reason.WRAP_UP_NOT_REQUIRED:
            return (
                "Genesys Cloud requires no wrap-up code of it; in a queue that requires one it "
                "would have been set"
            )
        case Reason.CAMPAIGN:
            return (
                "it is a campaign's call, which its dialer codes; with WRAP_UP_CAMPAIGNS=set it "
                "would have been set"
            )
        case Reason.NOT_THE_LAST_LEG:
            return (
                "another leg ended after it; with WRAP_UP_LEGS=all this one would have been set, "
                "too"
            )
        case _:
            return None
