"""The steps of one look at a conversation, in their order: all the rules, and no I/O.

    inquiry = Inquiry(record, delivery, now_ms, policy)
    while not isinstance(inquiry.step, Conclude):
        do what ``step`` says, and report to the inquiry how it went
    record, result = inquiry.conclude(now_ms)

The record goes into the table first (None: it stays as it is), then the result is published, then
the delivery is finished. A look is brought about by a record that comes back from ``retries``; any
such record may do a look that is due, and one that finds none due does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from streams import errors
from streams.core.calls import latest
from streams.core.conversations.conversation import Conversation
from streams.core.conversations.look import Findings, assess, lag_ends, setting_of, still_told
from streams.core.conversations.policy import LOOKS, LookPolicy, WrapUpPolicy, doubt_ms
from streams.core.conversations.record import (
    MOST_DECIDED_AT_ONCE,
    MOST_WAITING,
    ConversationRecord,
    Delivery,
    LegVerdict,
    Look,
    OpenLeg,
    Result,
    Sent,
    Waiting,
    is_new_redrive,
    leg_verdict,
    reopened,
    result_before,
    with_decided,
    with_leg,
    with_redrive_done,
    with_result,
    without_leg,
)
from streams.core.conversations.steps import Conclude, Fetch, Step, Write
from streams.core.conversations.telling import undecided
from streams.core.conversations.under_way import deferred, given_up, patched, turned_down
from streams.core.conversations.verdicts import Stamp, as_it_is, lasting, stamped
from streams.core.conversations.waiting import put_off, still_waiting
from streams.core.faults import fault, passing
from streams.core.records import Basis, Call, Decision, Fault, Reason, Verdict
from streams.core.windows import next_of

Failure = errors.ApiError | errors.InternalError


class Inquiry:
    """One look, from the record that brings it about to what has to be published.

    ``step``: what to do next. ``record``: the conversation's record, with each intent as soon as it
    has to be written.
    """

    def __init__(
        self,
        record: ConversationRecord,
        delivery: Delivery,
        now_ms: int,
        policy: WrapUpPolicy,
        looks: LookPolicy = LOOKS,
    ) -> None:
        """``record``: of the delivery's life (see ``of_life``). ``delivery``: out of
        ``retries``."""
        self.record = record
        self._delivery = delivery
        self._policy = policy
        self._looks = looks
        self._decided: list[LegVerdict] = []
        self._until_concluded: list[OpenLeg] = []
        self._queue: list[OpenLeg] = []
        self._answer: Verdict | None = None
        self._deferral: Verdict | None = None
        self._refusal: Verdict | None = None
        self._next = record.look
        self._result = result_before(record, delivery)
        self._changed = False
        self._looked = False
        self.step: Step = Conclude()
        if self._result is None:
            self._begin(now_ms)

    @property
    def failures(self) -> int:
        """The number that a deferral of this look would have, for the length of its wait."""
        return (self.record.look.failures if self.record.look is not None else 0) + 1

    def _begin(self, now_ms: int) -> None:
        if is_new_redrive(self.record, self._delivery):
            if len(self.record.waiting) >= MOST_WAITING:
                self._crowded()
                return
            self.record = reopened(self.record, self._delivery, now_ms)
        own = self._own
        look = self.record.look
        if own is not None and own.verdict is not None:
            # Another record has brought about the look that this one waited for.
            self._changed = True
        elif look is not None and look.at <= max(now_ms, self._delivery.due_ms):
            # It is due when its copy comes back, whatever the clock says by then: the clock may be
            # set back meanwhile, and no other copy would come for this look.
            self.step = Fetch()
        elif own is not None and own.wake_at <= self._delivery.due_ms:
            # The look was moved, and this record still waits: it comes back for it. An earlier copy
            # of it, which comes again after a rebalance, would only make one more.
            self._next = look or Look(now_ms)
            self._changed = True

    def fetched(self, conversation: Conversation, now_ms: int) -> None:
        """The GET was answered."""
        window = self._policy.lag_window_ms
        visible_by = lag_ends(self.record.look, self._policy, now_ms)
        at = next_of(self._looks.lag, visible_by - window, window, now_ms)
        setting = setting_of(self.record, conversation, now_ms, at, self._policy)
        found = assess(self.record, setting, visible_by, self._looks)
        self._until_concluded += [
            known for leg, _ in found.verdicts if (known := self.record.leg(leg.participant_id))
        ]
        self.record = replace(
            self.record,
            told=still_told(self.record, found),
            over_since=(self.record.over_since or now_ms) if conversation.over else 0,
            over_through=conversation.latest if conversation.over else 0,
            open=(*found.waiting, *found.to_set),
        )
        for leg, verdict in found.verdicts:
            self._decide(OpenLeg(leg), verdict)
        # Only a look that is put off has failures; what is planned now begins anew.
        self._next = Look(at, visible_by=visible_by) if found.lags else None
        if found.left_over:
            self._no_later_than(now_ms + self._looks.first_ms)
        self._answered(found, at)
        self._queue = list(found.to_set)
        self._changed = self._looked = True
        self._write_next()

    def intends(self, now_ms: int) -> ConversationRecord:
        """The record that must be in the table before the code leaves (promise 4).

        A leg that this look has decided stays under way in there, with what was sent for it: its
        verdict is in the table only when the look is concluded, and whoever takes it up after a
        crash must not take it for one that nothing was sent for.
        """
        write = self._write
        before = write.leg.sent
        sent = Sent(write.code, now_ms, times=before.times + 1 if before is not None else 1)
        # No time to look again, until somebody has seen the request end (``look._after_sending``).
        self._under_way(replace(write.leg, sent=sent, next_at=0))
        self.record = replace(self.record, updated_at=now_ms)
        return replace(self.record, open=(*self._until_concluded, *self.record.open))

    def stopped(self) -> None:
        """The request was stopped before it left: the same step is to be taken again."""
        if isinstance(self.step, Write):
            self._under_way(self.step.leg)

    def written(self, status: int, now_ms: int, call: Call | None = None) -> None:
        """The API took the code. ``status``: HTTP status of its answer. ``call``: the request."""
        leg = self._sent_leg()
        assert leg.sent is not None
        sent = replace(leg.sent, accepted_at=now_ms, status=status)
        if self._policy.verify_ms:
            at = next_of(self._looks.verify, now_ms, self._policy.verify_ms, now_ms)
            self._under_way(replace(leg, sent=replace(sent, call=call), next_at=at))
        else:
            self._decide(leg, patched(leg, sent))
        self._write_next()

    def failed(self, error: Failure, now_ms: int, retry_at: int, call: Call | None = None) -> None:
        """The step failed. ``retry_at``: when the look is taken up again if it has to be put off,
        epoch milliseconds. ``call``: the latest request of the step, if one has left."""
        if isinstance(self.step, Write):
            self._write_failed(error, now_ms, retry_at, call)
        else:
            self._fetch_failed(error, now_ms, retry_at)

    def conclude(
        self, now_ms: int, stamp: Stamp = as_it_is, made: Sequence[Call] = ()
    ) -> tuple[ConversationRecord | None, Result]:
        """The record to write, None when it stays as it is, and then the result to publish.
        ``stamp`` gives a verdict the times and numbers that the core does not know. ``made``: the
        requests of this look."""
        assert isinstance(self.step, Conclude), self.step
        delivery, own = self._delivery, self._own
        if self._result is not None:
            return None, self._result
        if not self._changed:
            return None, Result(
                delivery.offset, delivery.returned_at, delivery.redriven, delivery.owner
            )
        decided = tuple(replace(each, verdict=stamp(each.verdict)) for each in self._decided)
        record = with_decided(self.record, decided)
        for leg in record.open if self._looked else ():
            if leg.next_at:
                self._no_later_than(leg.next_at)
        calls = latest(None, made)
        answer = stamped(self._answer, stamp, calls)
        verdict = stamped(self._refusal, stamp, calls)
        if own is not None:
            deferral = stamped(self._deferral, stamp, calls)
            verdict = own.verdict or answer or deferral
        record = replace(
            record,
            look=self._next,
            waiting=still_waiting(self.record.waiting, own, verdict, answer, self._wake_at(own)),
        )
        if own is not None and own.redriven and verdict is not None and verdict.final:
            record = with_redrive_done(record, own)
        result = Result(
            delivery.offset,
            delivery.returned_at,
            delivery.redriven,
            delivery.owner,
            verdict,
            decided,
            wake_at=self._wake_at(own),
            calls=calls if decided else (),
        )
        return with_result(record, result, now_ms), result

    @property
    def _own(self) -> Waiting | None:
        """The entry of the source record in hand, if it waits for a verdict of its own."""
        return self.record.waiter(self._delivery.offset, self._delivery.redriven)

    @property
    def _write(self) -> Write:
        assert isinstance(self.step, Write), self.step
        return self.step

    def _crowded(self) -> None:
        """Too many records of this conversation wait already: this one fails."""
        shown = Fault("crowded", f"{MOST_WAITING} records of this conversation are put off already")
        self._refusal = self._verdict(Decision.FAILED, Reason.RETRIES_EXHAUSTED, shown)
        self._changed = True

    def _wake_at(self, own: Waiting | None) -> int | None:
        """When this record comes back. It does for each look that it plans; an answer that it
        brings to itself alone plans none."""
        told = self._refusal is not None or (own is not None and own.verdict is not None)
        if self._next is None or told:
            return None
        return self._next.at

    def _answered(self, found: Findings, at: int) -> None:
        """The answer to the source records that wait for this look."""
        conversation = found.conversation
        nobody = conversation.over and not conversation.legs
        if found.lags and (nobody or not conversation.over):
            self._put_off(Reason.NOT_YET_VISIBLE, at)
        elif nobody:
            self._answer = self._verdict(Decision.INELIGIBLE, Reason.NO_AGENT_LEG)
        else:
            self._answer = self._verdict(Decision.NOTED, Reason.LOOK_PLANNED)

    def _fetch_failed(self, error: Failure, now_ms: int, retry_at: int) -> None:
        self._changed = True
        shown = fault(error)
        if isinstance(error, errors.NotFound):
            self._not_found(shown, now_ms)
        elif not error.retriable:
            decision, reason = lasting(error)
            self._give_up(decision, reason, shown, now_ms)
        elif self.failures > self._looks.deferrals:
            internal = isinstance(error, errors.InternalError)
            reason = Reason.INTERNAL_ERROR if internal else Reason.RETRIES_EXHAUSTED
            self._give_up(Decision.FAILED, reason, shown, now_ms)
        else:
            begun = self.record.look.visible_by if self.record.look is not None else 0
            self._next = Look(retry_at, self.failures, begun)
            self._put_off(passing(error), retry_at, shown)
            self.record = replace(
                self.record,
                open=tuple(
                    replace(each, next_at=0 if each.sent is None else each.next_at)
                    for each in self.record.open
                ),
            )
            if not self.record.waits:  # the legs are told, for nobody else is there
                for leg in self.record.open[:MOST_DECIDED_AT_ONCE]:
                    self._defer(leg, passing(error), retry_at, shown)
        self.step = Conclude()

    def _not_found(self, shown: Fault, now_ms: int) -> None:
        window = self._policy.lag_window_ms
        visible_by = lag_ends(self.record.look, self._policy, now_ms)
        if now_ms >= visible_by:
            answer = self._verdict(Decision.NOT_FOUND, Reason.NOT_FOUND, shown)
            self._give_up(Decision.FAILED, Reason.RETRIES_EXHAUSTED, shown, now_ms)
            self._answer = answer
            return
        at = next_of(self._looks.lag, visible_by - window, window, now_ms)
        self._next = Look(at, visible_by=visible_by)
        self.record = replace(
            self.record, open=tuple(replace(each, next_at=at) for each in self.record.open)
        )
        self._put_off(Reason.NOT_YET_VISIBLE, at, shown)

    def _give_up(self, decision: Decision, reason: Reason, shown: Fault, now_ms: int) -> None:
        """Nothing more is tried: for the source records that wait, and for the legs under way."""
        self._answer = self._verdict(decision, reason, shown)
        # Whoever waits is told, and redriven with all of its legs. Where nobody does, because an
        # earlier look was answered, each leg is told that events know of.
        waits = self.record.waits
        legs = self.record.open if waits else undecided(self.record, self._policy)
        for leg in legs[:MOST_DECIDED_AT_ONCE]:
            self._decide(leg, given_up(leg, self._policy, shown, reason))
        look = self.record.look
        assert look is not None, "only a look that is due is made"
        left = len(legs) > MOST_DECIDED_AT_ONCE
        self._next = replace(look, at=now_ms + self._looks.first_ms) if left else None

    def _defer(self, leg: OpenLeg, reason: Reason, at: int, shown: Fault) -> None:
        leg = replace(leg, deferrals=leg.deferrals + 1)
        self._under_way(leg)
        self._decide(leg, deferred(leg, reason, at, shown))

    def _write_failed(self, error: Failure, now_ms: int, retry_at: int, call: Call | None) -> None:
        write, leg = self._write, self._sent_leg()
        shown = fault(error)
        if isinstance(error, errors.InternalError) or error.maybe_applied:
            # In doubt: it is looked for like a code that was accepted, for as long as it may take
            # effect. It may have waited long for its turn, so that begins when it ends.
            assert leg.sent is not None
            window = doubt_ms(self._policy, self._looks, leg.sent.times)
            at = next_of(self._looks.verify, now_ms, window, now_ms)
            if isinstance(error, errors.ApiError):
                at = max(at, now_ms + round(error.retry_after * 1000))
            sent = replace(leg.sent, at=now_ms, call=call)
            self._under_way(replace(leg, sent=sent, next_at=at))
            self._put_off_the_rest(at)
        elif not error.retriable:
            self._decide(leg, turned_down(leg, write.code, error))
            self._write_next()
        else:
            # Nothing has left: what is in doubt is what was in doubt before.
            leg = replace(leg, sent=write.leg.sent, next_at=retry_at)
            if self.failures > self._looks.deferrals:
                for each in (leg, *self._queue):
                    self._decide(each, given_up(each, self._policy, shown))
                self._queue = []
            else:
                self._next = Look(retry_at, self.failures)
                self._defer(leg, passing(error), retry_at, shown)
            self._put_off_the_rest(retry_at)

    def _put_off_the_rest(self, at: int) -> None:
        """No further code is sent to an API that has just failed."""
        for leg in self._queue:
            self._under_way(replace(leg, next_at=at))
        self._queue = []
        self.step = Conclude()

    def _write_next(self) -> None:
        if not self._queue or self._policy.code is None:
            self.step = Conclude()
            return
        self.step = Write(self._queue.pop(0), self._policy.code)

    def _sent_leg(self) -> OpenLeg:
        leg = self.record.leg(self._write.leg.leg.participant_id)
        assert leg is not None, "a leg is in the record before its code leaves"
        return leg

    def _no_later_than(self, at: int) -> None:
        """Plan a look at this time, unless one is planned before."""
        if self._next is None:
            self._next = Look(at)
        elif not self._next.failures:
            self._next = replace(self._next, at=min(at, self._next.at))

    def _under_way(self, leg: OpenLeg) -> None:
        self.record = with_leg(self.record, leg)

    def _decide(self, leg: OpenLeg, verdict: Verdict) -> None:
        """A verdict on this leg, final or not."""
        if verdict.final:
            known = self.record.leg(leg.leg.participant_id)
            self._until_concluded += [known] if known is not None else []
            self.record = without_leg(self.record, leg)
        self._decided.append(leg_verdict(self.record, leg.leg, verdict))

    def _verdict(self, decision: Decision, reason: Reason, error: Fault | None = None) -> Verdict:
        return Verdict(decision, reason, Basis.API, dry_run=self._policy.dry_run, error=error)

    def _put_off(self, reason: Reason, at: int, error: Fault | None = None) -> None:
        """The source record in hand waits on, if it waits at all."""
        own = self._own
        if own is not None:
            self._deferral = put_off(own, reason, at, error, dry_run=self._policy.dry_run)
