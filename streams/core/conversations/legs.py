"""What becomes of one leg of a conversation that is over: set now, wait, or leave, and why.

A leg is one participant of purpose agent. Plain functions on plain values.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.core.conversations.conversation import Conversation, Participant
from streams.core.conversations.policy import CAMPAIGN_PREFIX, WrapUpPolicy
from streams.core.records import Basis, Reason

# Prompts of after-call work that Genesys Cloud itself ends after ``wrapupTimeoutMs``.
_TIMED = frozenset({"timeout", "forcedTimeout", "agentRequested"})


@dataclass(frozen=True, slots=True)
class Told:
    """What events told of a leg. ``acw_ended``: an acw event came. ``code``: the latest code that
    one named. ``lagged``: the API is not waited for any more to show it."""

    acw_ended: bool = False
    code: str | None = None
    lagged: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What a leg's decision depends on beside itself.

    ``now_ms``, ``over_since``: now, and when a look first found it over, epoch milliseconds.
    ``lag_ends``: when it is next looked whether the API shows what events told. ``campaign``: the
    call is a campaign's.
    """

    conversation: Conversation
    policy: WrapUpPolicy
    now_ms: int
    over_since: int
    lag_ends: int = 0
    campaign: bool = False


@dataclass(frozen=True, slots=True)
class SetNow:
    """The leg is eligible, and its time has come."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """The leg is looked at again at this time, epoch milliseconds."""

    at: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The leg gets no code, for good."""

    reason: Reason
    basis: Basis = Basis.API


Judgement = SetNow | WaitUntil | Leave


def judge(leg: Participant, told: Told, setting: Setting) -> Judgement:
    """The decision on one leg of a conversation that is over. The first reason in the contract's
    order stands; only a leg without one is waited for."""
    policy = setting.policy
    reason = _against(leg, told, setting)
    if reason is not None:
        return reason
    waits = [_grace_end(leg, told, setting), *_provisional_end(leg, setting)]
    unknown = told.acw_ended and told.code is None and not leg.shows_end_of_acw
    if unknown and not told.lagged:
        # The event does not say which code was set, and the API does not show it yet.
        waits.append(setting.lag_ends)
    left = [at for at in waits if at > setting.now_ms]
    if left:
        return WaitUntil(min(left))
    kept = any(each.provisional and policy.counts(each.code) for each in leg.wrap_ups)
    return Leave(Reason.WRAP_UP_SET) if kept else SetNow()


def _against(leg: Participant, told: Told, setting: Setting) -> Leave | None:
    """What speaks against this leg, whatever the time."""
    policy = setting.policy
    routed = leg.routed
    if leg.connected_from is None:
        return Leave(Reason.NOT_CONNECTED)
    if duration_ms(leg, setting.conversation) < policy.threshold_ms:
        return Leave(Reason.TOO_SHORT)
    if routed is None or routed.medium not in policy.media:
        return Leave(Reason.NON_VOICE)
    if any(policy.counts(each.code) and not each.provisional for each in leg.wrap_ups):
        return Leave(Reason.WRAP_UP_SET)
    if policy.counts(told.code) and not leg.shows_end_of_acw:
        # The API lags: it does not show yet what an event has named.
        return Leave(Reason.WRAP_UP_SET, Basis.EVENT)
    if not leg.wrapup_required:
        return Leave(Reason.WRAP_UP_NOT_REQUIRED)
    if setting.campaign and policy.campaigns == "leave":
        return Leave(Reason.CAMPAIGN)
    if policy.legs == "last" and leg != last_leg(setting.conversation):
        return Leave(Reason.NOT_THE_LAST_LEG)
    return None


def duration_ms(leg: Participant, conversation: Conversation) -> int:
    """For how long it was connected; 0 when that can not be told, or is negative."""
    begun = leg.connected_from
    ended = leg.ended if leg.ended is not None else conversation.ended_at
    return max(0, ended - begun) if begun is not None and ended is not None else 0


def last_leg(conversation: Conversation) -> Participant | None:
    """The leg that ended last, of those that were connected; of several, the latest in order."""
    legs = [each for each in conversation.legs if each.connected_from is not None]
    numbered = enumerate(legs)
    return max(numbered, key=lambda each: (each[1].ended or 0, each[0]))[1] if legs else None


def of_campaign(conversation: Conversation) -> bool:
    """Whether a campaign's id shows, or a dialer has left its code at one of the participants."""
    return conversation.campaign or any(
        (each.code or "").startswith(CAMPAIGN_PREFIX)
        for participant in conversation.participants
        for each in participant.wrap_ups
    )


def _grace_end(leg: Participant, told: Told, setting: Setting) -> int:
    """When the leg's own agent has had its time; 0 when its after-call work has ended."""
    if told.acw_ended or leg.acw_ended_at is not None:
        return 0
    begun = _acw_begun(leg, setting)
    if leg.wrapup_prompt in _TIMED and leg.wrapup_timeout_ms is not None:
        return begun + leg.wrapup_timeout_ms + setting.policy.margin_ms
    return begun + setting.policy.patience_ms


def _provisional_end(leg: Participant, setting: Setting) -> list[int]:
    """Until when a code that was picked and not saved is waited for: Genesys Cloud keeps it when
    the after-call work ends. A pending save may have no code yet."""
    policy = setting.policy
    if not any(each.provisional and each.code not in policy.none_codes for each in leg.wrap_ups):
        return []
    return [_acw_begun(leg, setting) + policy.patience_ms]


def _acw_begun(leg: Participant, setting: Setting) -> int:
    """When the after-call work began; where no time is given, the nearest thing to it."""
    for at in (leg.acw_started_at, leg.ended, setting.conversation.ended_at):
        if at is not None:
            return at
    return setting.over_since
