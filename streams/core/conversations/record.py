"""The record of one conversation in the table, and the values that it is made of.

It is all that outlives a crash: the look that is planned, the legs that are under way with what
was sent for them, the legs that are decided, and what was told last. JSON, UTF-8, camelCase; times
are epoch milliseconds. Each part is bounded, because the whole has to fit into one Kafka record.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from streams.core.records import Call, Decision, Leg, Verdict
from streams.core.state_version import STATE_VERSION

# Bounds of a record's parts; `tests/unit/core/conversations/test_bounds.py` holds the whole.
# Identities of events, two each. An older event that comes again joins or plans a look: harmless.
MOST_SEEN = 256
# Participants of whom events told something.
MOST_TOLD = 64
# Legs under way at once. The others of a conversation with more are taken up after them.
MOST_OPEN = 64
# Legs that get their verdict in one look: all of them are kept until they are surely published.
MOST_DECIDED_AT_ONCE = 16
# Legs that are decided. A caller who was offered to more agents than that in a day has no more
# legs taken up: a leg that was forgotten would be decided twice.
MOST_DECIDED = 512
# Source records whose own outcome waits for a look. One plans; more wait only while a look that was
# moved has overtaken the copies of those who planned before.
MOST_WAITING = 16
# Results of deliveries that may not be published: the last one's, and of those that a crash cut off
# before it. Each crash leaves one at most, and its delivery comes again at the next start.
MOST_RESULTS = 4


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a source record to the worker.

    ``offset``: its offset in ``events``, in the ``life`` of that log. ``returned_at``: its offset
    in ``retries``, where it brings a look about; None when it comes from ``events``. ``owner``: who
    works on it, another text for each assignment of a partition. ``time_ms``: when Kafka got it.
    ``replayed``: a replay has redriven it, and so every leg of its conversation. ``due_ms``: the
    time that it was to come back at, epoch milliseconds; 0 for one that comes from ``events``.
    """

    offset: int
    returned_at: int | None = None
    redriven: int = 0
    owner: str = ""
    life: str = ""
    time_ms: int = 0
    replayed: bool = False
    due_ms: int = 0


class Told(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What events told of one participant. ``leg``: it, if it is an agent. ``ended``: its session,
    or all of it, is over, an agent's at ``ended_at``, who talked for ``talked_ms``; ``acw_at``: of
    the latest acw event; ``code``: the latest one that an event named. ``lagged``: the API did not
    show it within the lag window, and is not waited for any more."""

    participant_id: str
    leg: Leg | None = None
    ended: bool = False
    session_id: str | None = None
    ended_at: int = 0
    talked_ms: int | None = None
    acw_at: int | None = None
    code: str | None = None
    code_at: int = 0
    lagged: bool = False


class Sent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A code that may have left for a leg: it is in the changelog before it leaves. ``times``: how
    often it was sent. ``accepted_at``: when the API took it; None while that is in doubt. ``call``:
    the latest request that has sent it, once that is over."""

    code: str
    at: int
    times: int = 1
    accepted_at: int | None = None
    status: int | None = None
    call: Call | None = None


class OpenLeg(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A leg under way. ``next_at``: when it has to be looked at again. ``deferrals``: how often it
    was told that it is put off."""

    leg: Leg
    next_at: int = 0
    sent: Sent | None = None
    duration_ms: int | None = None
    deferrals: int = 0


class Look(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The look that is planned. ``failures``: how often in a row it was put off because of an
    error. ``visible_by``: until then the API may lag; 0 before the first look."""

    at: int
    failures: int = 0
    visible_by: int = 0


class Waiting(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A source record whose own outcome waits for a look, with a copy of it in ``retries``.

    ``deferrals``: how often it was told that it is put off; ``looks``: those of them that waited
    for the API to show it. ``verdict``: decided by a look that another record has brought about.
    ``wake_at``: when its latest copy comes back; earlier ones have done what they could.
    """

    offset: int
    redriven: int = 0
    deferrals: int = 0
    looks: int = 0
    verdict: Verdict | None = None
    wake_at: int = 0


class LegVerdict(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The verdict on one leg. ``redriven``: not 0 when it failed before and was redriven."""

    leg: Leg
    verdict: Verdict
    redriven: int = 0


class Result(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What has to be published for one delivery, before it is finished.

    ``verdict``: on the source record; None when there is none to tell now. ``wake_at``: a copy of
    the record goes to ``retries``, to bring about the look at this time. ``calls``: the requests of
    the look that has decided ``legs``, here once for all of them.
    """

    offset: int
    returned_at: int | None = None
    redriven: int = 0
    owner: str = ""
    verdict: Verdict | None = None
    legs: tuple[LegVerdict, ...] = ()
    wake_at: int | None = None
    calls: tuple[Call, ...] = ()

    def of(self, delivery: Delivery) -> bool:
        """Whether it is this delivery's, perhaps of its time with another owner."""
        mine = (self.offset, self.returned_at, self.redriven)
        return mine == (delivery.offset, delivery.returned_at, delivery.redriven)


class ConversationRecord(
    msgspec.Struct,
    frozen=True,
    rename="camel",
    omit_defaults=True,
    tag_field="schemaVersion",
    tag=STATE_VERSION,
):
    """One conversation as the table keeps it. As JSON it says its version first.

    ``life``, ``decided_before``, ``last_offset``: as in the record of an interaction. ``seen``:
    identities of events. ``campaign``: an event said so. ``wanted``: an event of a medium that is
    asked for, or of an unknown one, has come. ``left``: an event said that a customer has left.
    ``decided``: participants whose leg has its final verdict; ``failed``: those that failed once,
    and were or may be redriven. ``redriven``: the number of the latest redrive; ``redriven_done``:
    offsets of those that have their verdict, with their number. ``anew``: that redrive was of every
    leg, or what was decided before it is not remembered. ``over_since``: when a look first found it
    over; ``over_through``: the latest time that this look's answer has.
    """

    conversation_id: str
    life: str = ""
    decided_before: int = 0
    last_offset: int | None = None
    seen: tuple[str, ...] = ()
    campaign: bool = False
    wanted: bool = False
    left: bool = False
    told: tuple[Told, ...] = ()
    look: Look | None = None
    waiting: tuple[Waiting, ...] = ()
    open: tuple[OpenLeg, ...] = ()
    decided: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    redriven: int = 0
    redriven_done: tuple[tuple[int, int], ...] = ()
    anew: bool = False
    over_since: int = 0
    over_through: int = 0
    results: tuple[Result, ...] = ()
    events: int = 0
    first_seen_at: int = 0
    updated_at: int = 0

    def leg(self, participant_id: str) -> OpenLeg | None:
        return next((each for each in self.open if each.leg.participant_id == participant_id), None)

    def told_of(self, participant_id: str) -> Told | None:
        return next((each for each in self.told if each.participant_id == participant_id), None)

    def waiter(self, offset: int, redriven: int) -> Waiting | None:
        wanted = (offset, redriven)
        return next((each for each in self.waiting if (each.offset, each.redriven) == wanted), None)

    @property
    def interaction_id(self) -> str:
        """The table's key."""
        return self.conversation_id

    @property
    def waits(self) -> bool:
        """Whether a source record still has no verdict."""
        return any(each.verdict is None for each in self.waiting)

    @property
    def pending(self) -> bool:
        """Whether something of it is still to come: until then it is not forgotten."""
        return self.look is not None or bool(self.open) or bool(self.waiting)


encode_record = msgspec.json.Encoder().encode
decode_record = msgspec.json.Decoder(ConversationRecord).decode


def leg_verdict(record: ConversationRecord, leg: Leg, verdict: Verdict) -> LegVerdict:
    """The verdict on a leg of this conversation: under a redrive's number, if that may not be its
    first one."""
    again = record.anew or leg.participant_id in record.failed
    return LegVerdict(leg, verdict, record.redriven if again else 0)


def of_life(record: ConversationRecord, life: str) -> ConversationRecord:
    """The record without the parts that do not hold in this life of the partition's log: offsets of
    an earlier life can not be compared. What is in ``retries`` still comes back."""
    if record.life == life:
        return record
    return msgspec.structs.replace(
        record,
        life=life,
        decided_before=record.updated_at,
        last_offset=None,
        results=tuple(each for each in record.results if each.returned_at is not None),
    )


def with_result(record: ConversationRecord, result: Result, now_ms: int) -> ConversationRecord:
    """The record with what this delivery has to publish. What the same owner had to publish before
    is published: a conversation's deliveries are worked on one after the other."""
    others = [each for each in record.results if each.owner != result.owner]
    before = [each for each in others if (each.offset, each.returned_at) != _place(result)]
    return msgspec.structs.replace(
        record,
        results=(*before[-(MOST_RESULTS - 1) :], result),
        first_seen_at=record.first_seen_at or now_ms,
        updated_at=now_ms,
    )


def result_before(record: ConversationRecord, delivery: Delivery) -> Result | None:
    """What this delivery has to publish, when it was decided before and comes again."""
    return next((each for each in record.results if each.of(delivery)), None)


def with_leg(record: ConversationRecord, leg: OpenLeg) -> ConversationRecord:
    """The record with this leg under way, in place of what was known of it."""
    others = without_leg(record, leg).open
    return msgspec.structs.replace(record, open=(*others, leg))


def without_leg(record: ConversationRecord, leg: OpenLeg) -> ConversationRecord:
    """The record in which this leg is not under way."""
    gone = leg.leg.participant_id
    others = tuple(each for each in record.open if each.leg.participant_id != gone)
    return msgspec.structs.replace(record, open=others)


def is_new_redrive(record: ConversationRecord, delivery: Delivery) -> bool:
    """Whether an operator has sent the record back, and nothing has come of it yet."""
    this = (delivery.offset, delivery.redriven)
    known = record.waiter(*this) is not None or this in record.redriven_done
    return bool(delivery.redriven) and not known


def with_redrive_done(record: ConversationRecord, own: Waiting) -> ConversationRecord:
    """The record once a redriven source record has its verdict."""
    done = (*record.redriven_done, (own.offset, own.redriven))[-MOST_WAITING:]
    return msgspec.structs.replace(record, redriven_done=done)


def reopened(record: ConversationRecord, delivery: Delivery, now_ms: int) -> ConversationRecord:
    """The record of a conversation that an operator has redriven: legs that failed are decided
    anew, of a replay all legs, and so is the source record.

    Of a conversation that was forgotten every leg may have been decided before: then none gets an
    id that another outcome may have.
    """
    kept = () if delivery.replayed else record.decided
    return msgspec.structs.replace(
        record,
        decided=tuple(each for each in kept if each not in record.failed),
        redriven=max(record.redriven + 1, delivery.redriven),
        anew=record.anew or delivery.replayed or not record.updated_at,
        look=Look(now_ms),
        waiting=(*record.waiting, Waiting(delivery.offset, delivery.redriven)),
    )


def with_decided(record: ConversationRecord, legs: tuple[LegVerdict, ...]) -> ConversationRecord:
    """The record once these legs have their verdict."""
    final = [each for each in legs if each.verdict.final]
    ids = [each.leg.participant_id for each in final]
    failed = [each.leg.participant_id for each in final if each.verdict.decision is Decision.FAILED]
    return msgspec.structs.replace(
        record,
        open=tuple(each for each in record.open if each.leg.participant_id not in ids),
        told=tuple(each for each in record.told if each.participant_id not in ids),
        decided=(*record.decided, *ids),
        failed=(*(each for each in record.failed if each not in failed), *failed)[-MOST_DECIDED:],
    )


def _place(result: Result) -> tuple[int, int | None]:
    return result.offset, result.returned_at
