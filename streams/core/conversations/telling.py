"""What events tell of a conversation's participants, and what can be said from it alone.

What they tell spares calls: a look that comes while an agent is at work after the call finds
nothing to decide, and none is needed once events have named the code of every leg that they told.
"""

from __future__ import annotations

from msgspec.structs import replace

from streams.core.conversations.conversation import plain_id
from streams.core.conversations.events import ConversationEvent, EventName, is_plain_id
from streams.core.conversations.policy import LookPolicy, WrapUpPolicy
from streams.core.conversations.record import (
    MOST_DECIDED,
    MOST_DECIDED_AT_ONCE,
    MOST_TOLD,
    ConversationRecord,
    LegVerdict,
    OpenLeg,
    Told,
    leg_verdict,
)
from streams.core.records import Basis, Decision, Leg, Reason, Verdict

# Events that tell of one leg alone.
OF_A_LEG = frozenset({EventName.USER_END, EventName.ACW, EventName.WRAPUP})


def told_with(record: ConversationRecord, event: ConversationEvent) -> tuple[Told, ...]:
    """What events have told of participants, with this one."""
    participant_id = event.participant_id
    if participant_id is None or not is_plain_id(participant_id):
        return record.told
    if event.name is EventName.OUTBOUND or participant_id in record.decided:
        return record.told
    told = replace(record.told_of(participant_id) or Told(participant_id), lagged=False)
    if event.name in OF_A_LEG:
        told = replace(told, leg=_leg(told.leg or Leg(participant_id), event))
    if event.name in (EventName.USER_END, EventName.CUSTOMER_END):
        told = replace(told, ended=True, session_id=event.session_id)
    if event.name is EventName.USER_END:
        told = replace(
            told,
            ended_at=max(event.event_time, told.ended_at),
            talked_ms=_talked_ms(told, event),
        )
    if event.name is EventName.ACW:
        told = replace(told, acw_at=max(event.event_time, told.acw_at or 0))
    if event.wrapup_code is not None and event.event_time >= told.code_at:
        told = replace(told, code=event.wrapup_code, code_at=event.event_time)
    others = (each for each in record.told if each.participant_id != participant_id)
    return (*others, told)[-MOST_TOLD:]


def work_ends(record: ConversationRecord, policy: WrapUpPolicy, looks: LookPolicy) -> int:
    """By when the after-call work that events tell of is expected to be over, epoch milliseconds;
    0 when none is under way. An acw event says sooner that it is."""
    working = [
        each.ended_at + work_ms(policy, looks)
        for each in record.told
        if each.ended_at and each.acw_at is None and each.talked_ms != 0
    ]
    return max(working, default=0)


def work_ms(policy: WrapUpPolicy, looks: LookPolicy) -> int:
    """For how long after-call work is waited for that nothing tells the end of."""
    return min(looks.acw_ms, policy.patience_ms)


def decided_by_events(record: ConversationRecord, policy: WrapUpPolicy) -> tuple[LegVerdict, ...]:
    """The verdicts on all legs that anything is known of, when events alone decide them; none when
    one of them needs a look.

    That is a leg whose agent talked for long enough, and that an event has named a code of; or one
    that was only alerted. A leg that nothing has told of yet has an event of its own to come.
    """
    if any(each.redriven for each in record.waiting):
        return ()  # legs are decided anew that these events do not tell of
    legs = [each for each in record.told if each.leg is not None]
    known = {each.participant_id for each in legs}
    under_way = all(each.sent is None and each.leg.participant_id in known for each in record.open)
    if not under_way or len(legs) > min(MOST_DECIDED_AT_ONCE, MOST_DECIDED - len(record.decided)):
        return ()
    reasons = [_reason(each, policy) for each in legs]
    if None in reasons or Reason.WRAP_UP_SET not in reasons:
        return ()
    return tuple(
        leg_verdict(
            record,
            each.leg,
            Verdict(Decision.INELIGIBLE, reason, Basis.EVENT, dry_run=policy.dry_run),
        )
        for each, reason in zip(legs, reasons, strict=True)
        if each.leg is not None and reason is not None
    )


def undecided(record: ConversationRecord, policy: WrapUpPolicy) -> tuple[OpenLeg, ...]:
    """All legs that have no verdict: those under way, and those of media asked for that only events
    have told of."""
    known = {each.leg.participant_id for each in record.open}
    told = [each.leg for each in record.told if each.leg is not None]
    return (
        *record.open,
        *(
            OpenLeg(leg)
            for leg in told
            if leg.participant_id not in known and leg.medium in policy.media
        ),
    )


def _reason(told: Told, policy: WrapUpPolicy) -> Reason | None:
    """Why the leg gets no code, if events alone say so."""
    if told.talked_ms == 0:
        return Reason.NOT_CONNECTED
    long_enough = told.talked_ms is not None and told.talked_ms >= policy.threshold_ms
    asked_for = told.leg is not None and told.leg.medium in policy.media
    if long_enough and asked_for and policy.counts(told.code):
        return Reason.WRAP_UP_SET
    return None


def _talked_ms(told: Told, event: ConversationEvent) -> int | None:
    """The longest that the agent talked in a session; None when that is not known of one of them.
    A second session in which nobody talked takes nothing from the first."""
    if event.talked_ms is None or (told.ended_at and told.talked_ms is None):
        return None
    return max(event.talked_ms, told.talked_ms or 0)


def _leg(known: Leg, event: ConversationEvent) -> Leg:
    return Leg(
        known.participant_id,
        plain_id(event.user_id) or known.user_id,
        plain_id(event.queue_id) or known.queue_id,
        plain_id(event.session_id) or known.communication_id,
        event.medium or known.medium,
    )
