"""Whether a record is put off, how often, and until when.

Plain functions on plain values. A record is put off when Genesys Cloud fails, when this program
has an internal error on it, and while the API does not show yet what the event says.
"""

from __future__ import annotations

import msgspec

from streams import errors
from streams.core.decision import Policy
from streams.core.envelope import InteractionEvent
from streams.core.faults import MESSAGE_LENGTH, fault, passing
from streams.core.foreign_text import foreign_text
from streams.core.records import Basis, Decision, InteractionRecord, PutOff, Reason, Verdict
from streams.core.rules import COMPLETED
from streams.core.windows import end_of, next_of

# Records of one interaction that may be put off at the same time. The interaction's record in the
# table is always written whole, and has to fit into one Kafka record. Without this limit, a sender
# that repeats itself during an outage would make it too large and stop its partition for good.
MOST_WAITING = 64

# When the API is asked again, as parts of the lag window: early, because it mostly lags by seconds,
# and at the end, which decides. Each look costs a request out of the budget.
LOOKS = (1 / 6, 1 / 2, 1.0)


def put_off(
    error: errors.ApiError | errors.InternalError,
    attempt: int,
    not_before: int,
    policy: Policy,
    *,
    most: int,
    others: int = 0,
    looks: int = 0,
    visible_by: int = 0,
) -> Verdict:
    """The verdict on a record whose tries are used up: deferral number ``attempt``, or failed.

    It is failed after more than ``most`` deferrals (RETRY_MAX_ATTEMPTS; ``looks`` do not count), or
    when MOST_WAITING ``others`` of its interaction are put off already. ``looks`` and
    ``visible_by`` are kept for the next look (see PutOff).
    """
    shown, crowded = fault(error), others >= MOST_WAITING
    internal = isinstance(error, errors.InternalError)
    basis = Basis.EVENT if internal else Basis.API
    if crowded:
        message = f"{others} records of this interaction are put off already; {shown.message}"
        shown = msgspec.structs.replace(shown, message=foreign_text(message, MESSAGE_LENGTH))
    if crowded or attempt - looks > most:
        return Verdict(
            Decision.FAILED,
            Reason.INTERNAL_ERROR if internal else Reason.RETRIES_EXHAUSTED,
            basis,
            dry_run=policy.dry_run,
            error=shown,
        )
    return Verdict(
        Decision.DEFERRED,
        passing(error),
        basis,
        dry_run=policy.dry_run,
        error=shown,
        put_off=PutOff(attempt, not_before, looks, visible_by),
    )


def look_again(
    verdict: Verdict,
    event: InteractionEvent,
    record: InteractionRecord,
    *,
    offset: int,
    attempt: int,
    now_ms: int,
    policy: Policy,
) -> Verdict:
    """The verdict, or a deferral while the API may not show yet what the event says.

    The event says that the interaction is completed. If the API does not know the interaction, does
    not call it completed or gives no end time, it is asked again until the lag window since the
    first look has passed. Then the verdict on its last answer stands. ``attempt``: the number that
    a deferral would have.
    """
    if event.state != COMPLETED or not _may_be_lag(verdict):
        return verdict
    before = _before(record, offset)
    looks = before.looks if before is not None else 0
    visible_by = now_ms + policy.lag_window_ms
    if before is not None and before.visible_by:
        visible_by = end_of(before.visible_by, before.not_before, now_ms)
    crowded = record.waiting_beside(offset) >= MOST_WAITING
    if not policy.lag_window_ms or now_ms >= visible_by or crowded:
        return verdict
    window_ms = policy.lag_window_ms
    not_before = next_of(LOOKS, visible_by - window_ms, window_ms, now_ms)
    return Verdict(
        Decision.DEFERRED,
        Reason.NOT_YET_VISIBLE,
        Basis.API,
        dry_run=policy.dry_run,
        duration_ms=verdict.duration_ms,
        api_calls=verdict.api_calls,
        attempts=verdict.attempts,
        error=verdict.error,
        put_off=PutOff(attempt, not_before, looks + 1, visible_by),
        calls=verdict.calls,
    )


def waited(record: InteractionRecord, offset: int) -> tuple[int, int]:
    """``looks`` and ``visible_by`` of the record's latest deferral (see PutOff); 0 and 0 without
    one."""
    before = _before(record, offset)
    return (before.looks, before.visible_by) if before is not None else (0, 0)


def _before(record: InteractionRecord, offset: int) -> PutOff | None:
    known = record.deferral(offset)
    return known.verdict.put_off if known is not None else None


def _may_be_lag(verdict: Verdict) -> bool:
    """Whether an API that has not heard of the interaction's end would lead to this verdict."""
    if verdict.basis is not Basis.API or verdict.patch_status is not None:
        return False
    return verdict.provisional or verdict.reason in (Reason.NOT_FOUND, Reason.NOT_COMPLETED)
