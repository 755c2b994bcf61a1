"""What an event does as it arrives: it is known, is not needed, plans a look, or joins one.

Nothing is asked of the API here. Whatever the event tells is in the record before the event is
finished, and so is the look: a copy of the event in ``retries`` brings it about.
"""

from __future__ import annotations

from msgspec.structs import replace

from streams.core.conversations.events import ConversationEvent, EventName, is_plain_id
from streams.core.conversations.policy import LOOKS, LookPolicy, WrapUpPolicy
from streams.core.conversations.record import (
    MOST_SEEN,
    MOST_TOLD,
    MOST_WAITING,
    ConversationRecord,
    Delivery,
    Look,
    Result,
    Told,
    Waiting,
    result_before,
    with_result,
)
from streams.core.conversations.verdicts import Stamp, as_it_is
from streams.core.records import Basis, Decision, Reason, Verdict

# Media of events, beside those that may be asked for. An event of a medium that nobody knows yet
# is looked at.
_OTHER_MEDIA = frozenset(
    {"voice", "callback", "message", "email", "chat", "video", "cobrowse", "screenshare"}
    | {"internalmessage", "screenmonitoring"}
)

# Events that tell of one leg alone.
_OF_A_LEG = frozenset({EventName.USER_END, EventName.ACW, EventName.WRAPUP})


def arrive(
    record: ConversationRecord,
    event: ConversationEvent,
    delivery: Delivery,
    now_ms: int,
    *,
    policy: WrapUpPolicy,
    looks: LookPolicy = LOOKS,
    stamp: Stamp = as_it_is,
) -> tuple[ConversationRecord, Result]:
    """The record to write, and then what to publish, for an event out of ``events``.

    The record must be of the delivery's life (see ``of_life``). An event that was decided before
    leaves the record as it is. ``stamp`` gives a verdict the times that the core does not know.
    """
    again = _again(record, event, delivery)
    if again is not None:
        return record, again
    after, verdict, wake_at = _taken(record, event, delivery.offset, now_ms, policy, looks=looks)
    result = Result(
        delivery.offset,
        delivery.returned_at,
        delivery.redriven,
        delivery.owner,
        stamp(verdict) if verdict is not None else None,
        wake_at=wake_at,
    )
    after = replace(after, last_offset=delivery.offset, events=record.events + 1)
    return with_result(after, result, now_ms), result


# The record, the verdict if there is one already, and when the event's copy brings about a look.
_Taken = tuple[ConversationRecord, Verdict | None, int | None]


def _taken(
    record: ConversationRecord,
    event: ConversationEvent,
    offset: int,
    now_ms: int,
    policy: WrapUpPolicy,
    *,
    looks: LookPolicy,
) -> _Taken:
    def verdict(decision: Decision, reason: Reason, basis: Basis) -> Verdict:
        return Verdict(decision, reason, basis, dry_run=policy.dry_run)

    if any(identity in record.seen for identity in event.identities):
        return record, verdict(Decision.DUPLICATE, Reason.DUPLICATE_EVENT, Basis.CACHE), None
    basis = _not_needed(record, event, policy)
    record = _noting(record, event, policy)
    if basis is not None:
        return record, verdict(Decision.INELIGIBLE, Reason.EVENT_NOT_NEEDED, basis), None
    wanted_at = now_ms + looks.first_ms
    look = record.look
    if look is None:
        record = replace(record, look=Look(wanted_at))
        if len(record.waiting) < MOST_WAITING:
            return replace(record, waiting=(*record.waiting, Waiting(offset))), None, wanted_at
        noted = verdict(Decision.NOTED, Reason.LOOK_PLANNED, Basis.EVENT)
        return record, noted, wanted_at
    lost = look.at < now_ms - looks.overdue_ms
    moved = lost or _brings_forward(record, look, event, wanted_at)
    # What this event tells may need its own time to be seen: the lag window begins anew.
    look = replace(look, at=wanted_at if moved else look.at, visible_by=0)
    joined = verdict(Decision.NOTED, Reason.LOOK_JOINED, Basis.CACHE)
    return replace(record, look=look), joined, wanted_at if moved else None


def _again(
    record: ConversationRecord, event: ConversationEvent, delivery: Delivery
) -> Result | None:
    """What has to be published once more for an event that was decided before; None if it was
    not. Offsets prove it: a conversation's events are worked on in their order."""
    before = result_before(record, delivery)
    if before is not None:
        return before
    nothing = Result(delivery.offset, delivery.returned_at, delivery.redriven, delivery.owner)
    if record.last_offset is not None and delivery.offset <= record.last_offset:
        return nothing
    of_earlier_life = 0 < delivery.time_ms <= record.decided_before
    if of_earlier_life and any(each in record.seen for each in event.identities):
        return nothing
    return None


def _not_needed(
    record: ConversationRecord, event: ConversationEvent, policy: WrapUpPolicy
) -> Basis | None:
    """What shows that no look is needed for this event; None when one is."""
    if event.name is EventName.OUTBOUND:
        return Basis.EVENT
    if not record.wanted and not _wants(event, policy):
        return Basis.EVENT
    if event.name in _OF_A_LEG and event.participant_id in record.decided:
        return Basis.CACHE
    nothing_open = not record.open and not record.waits and record.look is None
    return Basis.CACHE if nothing_open and event.event_time <= record.over_through else None


def _wants(event: ConversationEvent, policy: WrapUpPolicy) -> bool:
    """Whether the event is of a medium that is asked for, or that can not be told."""
    return event.medium in policy.media or event.medium not in _OTHER_MEDIA


def _noting(
    record: ConversationRecord, event: ConversationEvent, policy: WrapUpPolicy
) -> ConversationRecord:
    """The record with what the event tells."""
    seen = (*record.seen, *event.identities)[-MOST_SEEN:]
    wanted = event.name is not EventName.OUTBOUND and _wants(event, policy)
    return replace(
        record,
        seen=seen,
        campaign=record.campaign or event.campaign,
        wanted=record.wanted or wanted,
        told=_told(record, event),
    )


def _told(record: ConversationRecord, event: ConversationEvent) -> tuple[Told, ...]:
    participant_id = event.participant_id
    if participant_id is None or not is_plain_id(participant_id):
        return record.told
    if event.name is EventName.OUTBOUND or participant_id in record.decided:
        return record.told
    told = replace(record.told_of(participant_id) or Told(participant_id), lagged=False)
    if event.name in (EventName.USER_END, EventName.CUSTOMER_END):
        told = replace(told, ended=True, session_id=event.session_id)
    if event.name is EventName.ACW:
        told = replace(told, acw_at=max(event.event_time, told.acw_at or 0))
    if event.wrapup_code is not None and event.event_time >= told.code_at:
        told = replace(told, code=event.wrapup_code, code_at=event.event_time)
    others = (each for each in record.told if each.participant_id != participant_id)
    return (*others, told)[-MOST_TOLD:]


def _brings_forward(
    record: ConversationRecord, look: Look, event: ConversationEvent, wanted_at: int
) -> bool:
    """Whether the look that is planned comes too late for this event. While the API fails, no event
    brings a look forward; nor does one that tells nothing beyond the last answer."""
    if look.failures or look.at <= wanted_at:
        return False
    return event.event_time > record.over_through or event.name in (EventName.ACW, EventName.WRAPUP)
