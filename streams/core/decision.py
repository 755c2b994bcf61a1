"""The next step for one source record, from the interaction's record, the event and the answers.

Plain functions on plain values: no I/O, no clock, no Faust. ``inquiry`` calls them in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from streams import errors
from streams.core.calls import bounded, without_calls
from streams.core.envelope import InteractionEvent
from streams.core.faults import fault
from streams.core.interaction import Interaction
from streams.core.records import (
    Basis,
    Decision,
    Deferred,
    Intent,
    InteractionRecord,
    Reason,
    Unpublished,
    Verdict,
)
from streams.core.rules import COMPLETED, VOICE, ineligibility
from streams.core.sequence import Standing, remember, standing


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's settings for a decision. ``code`` may be None only in a dry run.
    ``lag_window_ms``: for how long the API may lag behind its own events (LAG_WINDOW_SECONDS);
    0 means not at all."""

    code: str | None
    threshold_ms: int = 30_000
    fetch: Literal["completed", "always"] = "completed"
    dry_run: bool = False
    lag_window_ms: int = 0


@dataclass(frozen=True, slots=True)
class Settle:
    """The record is decided: write the verdict to the table and publish its outcome."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Fetch:
    """GET the whole interaction from the API."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Write the intent to the table, then PATCH the code."""

    code: str
    etag: str | None
    duration_ms: int


Step = Settle | Fetch | Patch

# How many finished records that had been put off an interaction's record remembers, to recognise
# copies of them. deferral.MOST_WAITING bounds those that are still put off. Both bounds exist
# because an interaction's record has to fit into one Kafka record.
MOST_REMEMBERED = 64

# How many verdicts whose outcomes are not published an interaction's record may hold beside the
# last one. It bounds the record's size; a source record beyond it waits until they are published.
MOST_UNPUBLISHED = 32

# Reasons that can not change any more once they hold for an interaction.
_LASTING = frozenset(
    {Reason.NON_VOICE, Reason.DISPOSITION_SET, Reason.WRAP_UP_SET, Reason.TOO_SHORT}
)


def begin(record: InteractionRecord, event: InteractionEvent, offset: int, policy: Policy) -> Step:
    """The first step: settle what the event and the table can settle, else ask the API."""
    if in_doubt(record, offset):
        return Fetch()
    match standing(record.seen, event):
        case Standing.DUPLICATE:
            return _settle(Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE, Basis.CACHE, policy)
        case Standing.STALE if _settled(record, policy) or event.state != COMPLETED:
            return _settle(Decision.STALE, Reason.STALE_SEQUENCE, Basis.CACHE, policy)
    return _evaluate(record, event, policy)


def resume(
    record: InteractionRecord,
    event: InteractionEvent,
    offset: int,
    policy: Policy,
    *,
    redriven: bool = False,
) -> Step:
    """The first step for a record that was put off.

    Its sequence was judged the first time and is not judged again. A later record may have settled
    the interaction; then that settles this record too. ``redriven``: an operator has redriven it.
    The rules and the interaction may have changed since, so only a code that we set settles it.
    """
    if in_doubt(record, offset):
        return Fetch()
    settled = record.settled
    if redriven and settled is not None and settled.reason is not Reason.ELIGIBLE:
        record = msgspec.structs.replace(record, settled=None)
    return _evaluate(record, event, policy)


def _evaluate(record: InteractionRecord, event: InteractionEvent, policy: Policy) -> Step:
    settled = _settled(record, policy)
    if policy.fetch == "always" and settled is None:
        return Fetch()
    kind = event.interaction_type or record.interaction_type
    if kind is not None and kind != VOICE:
        basis = Basis.EVENT if event.interaction_type else Basis.CACHE
        return _settle(Decision.INELIGIBLE, Reason.NON_VOICE, basis, policy)
    if event.state != COMPLETED:
        return _settle(Decision.INELIGIBLE, Reason.NOT_COMPLETED, Basis.EVENT, policy)
    if settled is not None:
        reason = Reason.DISPOSITION_SET if settled.reason is Reason.ELIGIBLE else settled.reason
        return _settle(
            Decision.INELIGIBLE, reason, Basis.CACHE, policy, duration_ms=settled.duration_ms
        )
    return Fetch()


def after_fetch(interaction: Interaction, sent: Intent | None, policy: Policy) -> Step:
    """The step after a GET. ``sent``: a PATCH of ours that may have taken effect; it has if the
    interaction has its code."""
    if sent is not None and interaction.disposition_code_id == sent.disposition_code_id:
        return Settle(
            Verdict(
                Decision.PATCHED,
                Reason.ELIGIBLE,
                Basis.API,
                disposition_code_id=sent.disposition_code_id,
                recovered=True,
                duration_ms=interaction.duration_ms,
            )
        )
    reason = ineligibility(interaction, policy.threshold_ms)
    if reason is not None:
        return _settle(
            Decision.INELIGIBLE,
            reason,
            Basis.API,
            policy,
            duration_ms=interaction.duration_ms,
            provisional=reason is Reason.TOO_SHORT and not interaction.ended,
        )
    if policy.dry_run or policy.code is None:
        return Settle(
            Verdict(
                Decision.WOULD_PATCH,
                Reason.ELIGIBLE,
                Basis.API,
                dry_run=True,
                disposition_code_id=policy.code,
                duration_ms=interaction.duration_ms,
            )
        )
    return Patch(policy.code, interaction.etag, interaction.duration_ms)


def after_patch(patch: Patch, status: int) -> Settle:
    """The step after a PATCH that the API took."""
    return Settle(
        Verdict(
            Decision.PATCHED,
            Reason.ELIGIBLE,
            Basis.API,
            disposition_code_id=patch.code,
            patch_status=status,
            duration_ms=patch.duration_ms,
        )
    )


def after_error(
    error: errors.ApiError, patch: Patch | None, sent: Intent | None, policy: Policy
) -> Step | None:
    """The step after an error; None when the record has to be put off.

    ``patch`` is the PATCH that failed, or None for a GET. ``sent`` as in ``after_fetch``.
    """
    if patch is not None and error.maybe_applied:
        return Fetch()
    if patch is not None and sent is not None and isinstance(error, errors.Conflict):
        # The change that this PATCH conflicts with may be an earlier PATCH of ours.
        return Fetch()
    if error.retriable:
        return None
    decision, reason = _final(error)
    return Settle(
        Verdict(
            decision,
            reason,
            Basis.API,
            dry_run=policy.dry_run,
            disposition_code_id=patch.code if patch else None,
            patch_status=error.status if patch else None,
            duration_ms=patch.duration_ms if patch else None,
            error=fault(error),
        )
    )


def in_doubt(record: InteractionRecord, offset: int) -> bool:
    """Whether a PATCH for this same source record may have left before a crash (promise 5)."""
    return record.intent is not None and record.intent.offset == offset


def doubt(record: InteractionRecord, offset: int) -> Intent | None:
    """The PATCH in doubt by which this source record may be patched: if it finds the code of that
    PATCH at the interaction, the code is ours.

    That is its own PATCH, or one whose source record will not be decided again. A source record
    that still has to be decided looks for its PATCH itself.
    """
    intent = record.intent
    if intent is None or in_doubt(record, offset):
        return intent
    owner = record.deferral(intent.offset)
    alive = record.undecided_intent or (owner is not None and owner.waits)
    return None if alive else intent


def apply(
    record: InteractionRecord,
    event: InteractionEvent,
    offset: int,
    verdict: Verdict,
    now_ms: int,
    *,
    returned_at: int | None = None,
    redriven: int = 0,
    is_open: Callable[[int], bool] = lambda _: False,
) -> InteractionRecord:
    """The interaction's record after this verdict on this source record.

    The cached type and state change only with an event that is newer, or that has no order.
    ``returned_at``: offset in ``retries`` from which the record came back; None when it comes from
    ``events``. ``redriven``: how often it was redriven. ``is_open``: whether the source record with
    an offset is not finished, so that its outcome may not be published; its verdict is kept then.
    """
    first = returned_at is None
    fresh = first and standing(record.seen, event) is Standing.NEW
    deferred = record.deferred
    was_put_off = not first or record.deferral(offset) is not None
    if was_put_off or verdict.decision is Decision.DEFERRED:
        deferred = _with(deferred, Deferred(offset, verdict, returned_at, redriven))
    return msgspec.structs.replace(
        record,
        interaction_type=(fresh and event.interaction_type) or record.interaction_type,
        state=(fresh and event.state) or record.state,
        verdict=verdict if first else record.verdict,
        last_offset=offset if first else record.last_offset,
        unpublished=_unpublished(record, offset, is_open) if first else record.unpublished,
        events=record.events + (first and record.last_offset != offset),
        deferred=deferred,
        seen=remember(record.seen, event),
        settled=without_calls(verdict) if _settles(verdict, record) else record.settled,
        intent=_open_intent(record, offset, verdict),
        first_seen_at=record.first_seen_at or now_ms,
        updated_at=now_ms,
    )


def _unpublished(
    record: InteractionRecord, offset: int, is_open: Callable[[int], bool]
) -> tuple[Unpublished, ...]:
    """The verdicts before this one whose outcomes may not be published."""
    kept = [each for each in record.unpublished if is_open(each.offset)]
    last = record.last_offset
    if last is not None and record.verdict is not None and last != offset and is_open(last):
        kept.append(Unpublished(last, record.verdict))
        if record.verdict.calls:
            return bounded(kept)
    return tuple(kept)


def _with(entries: Sequence[Deferred], newest: Deferred) -> tuple[Deferred, ...]:
    """The entries with this one at the end, in place of the older one."""
    others = [each for each in entries if each.offset != newest.offset]
    over = sum(not each.waits for each in others)
    kept: list[Deferred] = []
    for each in others:
        if each.waits or over < MOST_REMEMBERED:
            kept.append(each)
        else:
            over -= 1
    return bounded((*kept, newest))


def _open_intent(record: InteractionRecord, offset: int, verdict: Verdict) -> Intent | None:
    """The intent that is still in doubt after this verdict, or None.

    The intent of another source record stays. This record's own intent stays when the record could
    not look whether its PATCH took effect: it was put off, or it failed and may be redriven later.
    ``patched`` ends the doubt: our code is there.
    """
    intent = record.intent
    if intent is None or verdict.decision is Decision.PATCHED:
        return None
    could_not_look = verdict.decision is Decision.DEFERRED or (
        verdict.decision is Decision.FAILED and verdict.patch_status is None
    )
    return intent if intent.offset != offset or could_not_look else None


def _settles(verdict: Verdict, record: InteractionRecord) -> bool:
    """Whether this verdict becomes the lasting one: it can not change any more, and it is the first
    such verdict or comes from the API, as when a real run follows a dry run."""
    if verdict.decision is Decision.INELIGIBLE:
        lasts = verdict.reason in _LASTING and not verdict.provisional
    else:
        lasts = verdict.decision in (Decision.PATCHED, Decision.WOULD_PATCH)
    return lasts and (record.settled is None or verdict.basis is Basis.API)


def _settled(record: InteractionRecord, policy: Policy) -> Verdict | None:
    """The lasting verdict. A real run ignores one that only says what a dry run would have done."""
    settled = record.settled
    if settled is not None and settled.decision is Decision.WOULD_PATCH and not policy.dry_run:
        return None
    return settled


def _settle(
    decision: Decision,
    reason: Reason,
    basis: Basis,
    policy: Policy,
    *,
    duration_ms: int | None = None,
    provisional: bool = False,
) -> Settle:
    return Settle(
        Verdict(
            decision,
            reason,
            basis,
            dry_run=policy.dry_run,
            duration_ms=duration_ms,
            provisional=provisional,
        )
    )


def _final(error: errors.ApiError) -> tuple[Decision, Reason]:
    match error:
        case errors.NotFound():
            return Decision.NOT_FOUND, Reason.NOT_FOUND
        case errors.Conflict():
            return Decision.CONFLICT, Reason.CONCURRENT_MODIFICATION
        case errors.Forbidden():
            return Decision.FAILED, Reason.FORBIDDEN
        case _:
            return Decision.FAILED, Reason.BAD_REQUEST
