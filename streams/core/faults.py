"""An error as an outcome shows it: its reason, and code, message and ids of bounded length."""

from __future__ import annotations

from streams import errors
from streams.core.foreign_text import foreign_text
from streams.core.records import Basis, Decision, Fault, Reason, Verdict

# Characters of an error's texts. An interaction's record keeps one error for each record that was
# put off, so longer texts would make it too large for Kafka. A correlation id may be as long as the
# contract allows.
CODE_LENGTH = 128
MESSAGE_LENGTH = 700
CORRELATION_ID_LENGTH = 64


def fault(error: errors.ApiError | errors.RecordError) -> Fault:
    """The error as an outcome shows it, with texts of bounded length."""
    code = correlation_id = status = None
    if isinstance(error, errors.ApiError):
        code, status, correlation_id = error.code, error.status, error.correlation_id
    return Fault(
        code=foreign_text(code or type(error).__name__, CODE_LENGTH),
        message=foreign_text(str(error), MESSAGE_LENGTH),
        status=status,
        correlation_id=correlation_id and foreign_text(correlation_id, CORRELATION_ID_LENGTH),
    )


def passing(error: errors.ApiError | errors.InternalError) -> Reason:
    """Why something is put off after this error."""
    match error:
        case errors.RateLimited():
            return Reason.RATE_LIMITED
        case errors.Unauthorized():
            return Reason.UNAUTHORIZED
        case errors.ApiTimeout():
            return Reason.TIMEOUT
        case errors.CircuitOpen():
            return Reason.CIRCUIT_OPEN
        case errors.InternalError():
            return Reason.INTERNAL_ERROR
        case _:
            return Reason.SERVER_ERROR


def unread(error: errors.RecordError, *, dry_run: bool) -> Verdict:
    """The verdict on a record that could not be handled as an event, or was skipped."""
    match error:
        case errors.RecordSkipped():
            reason, code = Reason.SKIPPED, "skipped"
        case errors.InternalError():
            reason, code = Reason.INTERNAL_ERROR, "internal-error"
        case _:
            reason, code = Reason.MALFORMED, "malformed-event"
    shown = Fault(code=code, message=foreign_text(str(error), MESSAGE_LENGTH))
    return Verdict(Decision.FAILED, reason, Basis.EVENT, dry_run=dry_run, error=shown)


def too_large(error: errors.RecordTooLarge, *, dry_run: bool) -> Verdict:
    """The verdict on an event that had to be put off but is too large for ``retries``."""
    message = f"it can not be put off: {error}"
    shown = Fault(code="too-large", message=foreign_text(message, MESSAGE_LENGTH))
    return Verdict(
        Decision.FAILED, Reason.RETRIES_EXHAUSTED, Basis.API, dry_run=dry_run, error=shown
    )
