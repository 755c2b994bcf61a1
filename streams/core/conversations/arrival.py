"""What an event does as it arrives: it is known, is not needed, plans a look, or joins one.

Nothing is asked of the API here. Whatever the event tells is in the record before the event is
finished, and so is the look: a copy of the event in ``retries`` brings it about.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from streams.core.conversations.events import ConversationEvent, EventName
from streams.core.conversations.policy import LOOKS, LookPolicy, WrapUpPolicy
from streams.core.conversations.record import (
    MOST_SEEN,
    MOST_WAITING,
    ConversationRecord,
    Delivery,
    LegVerdict,
    Look,
    Result,
    Waiting,
    result_before,
    with_decided,
    with_result,
)
from streams.core.conversations.telling import (
    OF_A_LEG,
    decided_by_events,
    told_with,
    work_ends,
)
from streams.core.conversations.verdicts import Stamp, as_it_is
from streams.core.records import Basis, Decision, Reason, Verdict

# Media of events, beside those that may be asked for. An event of a medium that nobody knows yet
# is looked at.
_OTHER_MEDIA = frozenset(
    {"voice", "callback", "message", "email", "chat", "video", "cobrowse", "screenshare"}
    | {"internalmessage", "screenmonitoring"}
)


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
    taken = _Taking(record, event, delivery.offset, now_ms, policy, looks).taken()
    decided = tuple(replace(each, verdict=stamp(each.verdict)) for each in taken.legs)
    result = Result(
        delivery.offset,
        delivery.returned_at,
        delivery.redriven,
        delivery.owner,
        stamp(taken.verdict) if taken.verdict is not None else None,
        decided,
        wake_at=taken.wake_at,
    )
    after = replace(
        with_decided(taken.record, decided),
        last_offset=delivery.offset,
        events=record.events + 1,
    )
    return with_result(after, result, now_ms), result


@dataclass(frozen=True, slots=True)
class _Taken:
    """``verdict``: if there is one already. ``wake_at``: when the event's copy brings about a look.
    ``legs``: those that events alone decide."""

    record: ConversationRecord
    verdict: Verdict | None
    wake_at: int | None = None
    legs: tuple[LegVerdict, ...] = ()


@dataclass(frozen=True, slots=True)
class _Taking:
    """One event that is taken for the first time."""

    record: ConversationRecord
    event: ConversationEvent
    offset: int
    now_ms: int
    policy: WrapUpPolicy
    looks: LookPolicy

    def taken(self) -> _Taken:
        record, event = self.record, self.event
        if any(identity in record.seen for identity in event.identities):
            duplicate = self._verdict(Decision.DUPLICATE, Reason.DUPLICATE_EVENT, Basis.CACHE)
            return _Taken(record, duplicate)
        basis = _not_needed(record, event, self.policy)
        record = noting(record, event, self.policy)
        if basis is not None:
            return _Taken(
                record, self._verdict(Decision.INELIGIBLE, Reason.EVENT_NOT_NEEDED, basis)
            )
        legs = decided_by_events(record, self.policy) if event.name in OF_A_LEG else ()
        if legs:
            return self._decided(record, legs)
        wanted_at = self.now_ms + self.looks.first_ms
        if event.name in (EventName.USER_END, EventName.CUSTOMER_END):
            wanted_at = max(wanted_at, work_ends(record, self.policy, self.looks))
        if event.name is EventName.USER_END and event.talked_ms == 0:
            # An agent was only alerted: nothing is due, and mostly the call goes on to another one.
            if record.look is not None:
                wanted_at = record.look.at
            elif _goes_on(record):
                not_needed = self._verdict(
                    Decision.INELIGIBLE, Reason.EVENT_NOT_NEEDED, Basis.EVENT
                )
                return _Taken(record, not_needed)
        if record.look is None:
            return self._planned(record, wanted_at)
        return self._joined(record, record.look, wanted_at)

    def _decided(self, record: ConversationRecord, legs: tuple[LegVerdict, ...]) -> _Taken:
        """Events alone decide all that is known of: no look is needed."""
        planned = self._verdict(Decision.NOTED, Reason.LOOK_PLANNED, Basis.EVENT)
        waiting = tuple(replace(each, verdict=each.verdict or planned) for each in record.waiting)
        own = self._verdict(Decision.NOTED, Reason.LOOK_JOINED, Basis.CACHE)
        if record.look is None:
            own = self._verdict(Decision.INELIGIBLE, Reason.EVENT_NOT_NEEDED, Basis.EVENT)
        return _Taken(replace(record, look=None, waiting=waiting), own, legs=legs)

    def _planned(self, record: ConversationRecord, wanted_at: int) -> _Taken:
        record = replace(record, look=Look(wanted_at))
        if len(record.waiting) < MOST_WAITING:
            waiting = (*record.waiting, Waiting(self.offset, wake_at=wanted_at))
            return _Taken(replace(record, waiting=waiting), None, wanted_at)
        noted = self._verdict(Decision.NOTED, Reason.LOOK_PLANNED, Basis.EVENT)
        return _Taken(record, noted, wanted_at)

    def _joined(self, record: ConversationRecord, look: Look, wanted_at: int) -> _Taken:
        lost = look.at < self.now_ms - self.looks.overdue_ms
        forward = lost or _brings_forward(record, look, self.event, wanted_at)
        later = not forward and _puts_off(record, look, wanted_at)
        # What this event tells may need its own time to be seen: the lag window begins anew.
        at = wanted_at if forward or later else look.at
        joined = self._verdict(Decision.NOTED, Reason.LOOK_JOINED, Basis.CACHE)
        # The copy of a record that waits for the look comes before then, and goes on waiting.
        needs_copy = forward or (later and not record.waits)
        return _Taken(
            replace(record, look=replace(look, at=at, visible_by=0)),
            joined,
            wanted_at if needs_copy else None,
        )

    def _verdict(self, decision: Decision, reason: Reason, basis: Basis) -> Verdict:
        return Verdict(decision, reason, basis, dry_run=self.policy.dry_run)


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
    if not record.wanted and not wants(event, policy):
        return Basis.EVENT
    if event.name in OF_A_LEG and event.participant_id in record.decided:
        return Basis.CACHE
    nothing_open = not record.open and not record.waits and record.look is None
    return Basis.CACHE if nothing_open and event.event_time <= record.over_through else None


def _goes_on(record: ConversationRecord) -> bool:
    """Whether nothing says that the customer has left: then an event that plans a look is still to
    come."""
    return not (record.left or record.decided or record.over_since)


def wants(event: ConversationEvent, policy: WrapUpPolicy) -> bool:
    """Whether the event is of a medium that is asked for, or that can not be told."""
    return event.medium in policy.media or event.medium not in _OTHER_MEDIA


def noting(
    record: ConversationRecord, event: ConversationEvent, policy: WrapUpPolicy
) -> ConversationRecord:
    """The record with what the event tells."""
    seen = (*record.seen, *event.identities)[-MOST_SEEN:]
    wanted = event.name is not EventName.OUTBOUND and wants(event, policy)
    return replace(
        record,
        seen=seen,
        campaign=record.campaign or event.campaign,
        wanted=record.wanted or wanted,
        left=record.left or event.name is EventName.CUSTOMER_END,
        told=told_with(record, event),
    )


def _brings_forward(
    record: ConversationRecord, look: Look, event: ConversationEvent, wanted_at: int
) -> bool:
    """Whether the look that is planned comes too late for this event. While the API fails, no event
    brings a look forward; nor does one that tells nothing beyond the last answer."""
    if look.failures or look.at <= wanted_at:
        return False
    return event.event_time > record.over_through or event.name in (EventName.ACW, EventName.WRAPUP)


def _puts_off(record: ConversationRecord, look: Look, wanted_at: int) -> bool:
    """Whether the look would come for nothing, because an agent is at work after the call. A look
    that follows one, or an error, keeps its time."""
    first = not record.open and not look.failures and not look.visible_by
    return first and look.at < wanted_at
