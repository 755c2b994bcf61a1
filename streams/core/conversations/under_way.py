"""Verdicts on a leg that was under way: once its code is there, and when it does not get there."""

from __future__ import annotations

from streams import errors
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.record import OpenLeg, Sent
from streams.core.conversations.verdicts import lasting
from streams.core.faults import fault
from streams.core.records import Basis, Call, Decision, Fault, PutOff, Reason, Verdict


def patched(known: OpenLeg, sent: Sent) -> Verdict:
    """The verdict on a leg that has our code. In doubt, finding it there is all that is known."""
    return Verdict(
        Decision.PATCHED,
        Reason.ELIGIBLE,
        Basis.API,
        disposition_code_id=sent.code,
        patch_status=sent.status,
        recovered=sent.accepted_at is None,
        duration_ms=known.duration_ms,
        calls=_sending(sent),
    )


def given_up(
    known: OpenLeg,
    policy: WrapUpPolicy,
    error: Fault | None = None,
    reason: Reason = Reason.RETRIES_EXHAUSTED,
) -> Verdict:
    """The verdict on a leg under way that nothing more is tried for. A code that was accepted is
    unconfirmed, whatever the error: it was not refused."""
    sent = known.sent
    if sent is not None and sent.accepted_at is not None:
        return Verdict(
            Decision.UNCONFIRMED,
            Reason.NOT_VISIBLE,
            Basis.API,
            disposition_code_id=sent.code,
            patch_status=sent.status,
            duration_ms=known.duration_ms,
            error=error,
            calls=_sending(sent),
        )
    no_answer = Fault(
        "no-answer",
        "the code was sent, no answer came, and the API does not show it: look at this leg in "
        "Genesys Cloud, then redrive it",
    )
    return Verdict(
        Decision.FAILED,
        reason,
        Basis.API,
        dry_run=policy.dry_run,
        disposition_code_id=sent.code if sent is not None else None,
        duration_ms=known.duration_ms,
        error=error or no_answer,
        calls=_sending(sent),
    )


def turned_down(
    known: OpenLeg, code: str, error: errors.ApiError | errors.InternalError
) -> Verdict:
    """The verdict on a leg whose code the API did not take, and never will."""
    decision, reason = lasting(error)
    return Verdict(
        decision,
        reason,
        Basis.API,
        disposition_code_id=code,
        patch_status=error.status if isinstance(error, errors.ApiError) else None,
        duration_ms=known.duration_ms,
        error=fault(error),
    )


def deferred(known: OpenLeg, reason: Reason, at: int, error: Fault) -> Verdict:
    """The verdict on a leg that is put off until ``at``, epoch milliseconds."""
    return Verdict(
        Decision.DEFERRED,
        reason,
        Basis.API,
        duration_ms=known.duration_ms,
        error=error,
        put_off=PutOff(known.deferrals, at),
    )


def _sending(sent: Sent | None) -> tuple[Call, ...]:
    """The request that has sent the code, in an earlier look: its correlation id is what Genesys'
    support asks for. It comes before the requests of the look that decides."""
    return () if sent is None or sent.call is None else (sent.call,)
