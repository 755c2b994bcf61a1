"""An error as an outcome has it."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streams import errors
from streams.core.faults import CODE_LENGTH, CORRELATION_ID_LENGTH, MESSAGE_LENGTH, fault, unread
from streams.core.records import Basis, Decision, Reason

ANY_TEXT = st.text(st.characters(codec=None))


def test_it_quotes_what_genesys_said() -> None:
    refused_by_api = errors.Forbidden("no", status=403, code="missing.scope", correlation_id="c-1")
    quoted = fault(refused_by_api)
    assert (quoted.code, quoted.message, quoted.status, quoted.correlation_id) == (
        "missing.scope",
        "no",
        403,
        "c-1",
    )


def test_without_a_code_the_kind_of_error_is_one() -> None:
    quoted = fault(errors.ApiTimeout("nothing"))
    assert (quoted.code, quoted.status, quoted.correlation_id) == ("ApiTimeout", None, None)


@given(ANY_TEXT, ANY_TEXT | st.none(), ANY_TEXT | st.none(), st.integers(1, 5_000))
def test_its_texts_are_bounded_and_printable(
    message: str, code: str | None, correlation_id: str | None, times: int
) -> None:
    """An 8,000-byte correlation id, 70 times in one interaction's record, was more than Kafka
    takes."""
    said = fault(
        errors.ServerError(
            message * times,
            code=code and code * times,
            correlation_id=correlation_id and correlation_id * times,
        )
    )
    assert len(said.code) <= CODE_LENGTH
    assert len(said.message) <= MESSAGE_LENGTH
    assert len(said.correlation_id or "") <= CORRELATION_ID_LENGTH
    assert (said.code + said.message + (said.correlation_id or "")).isprintable()


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (errors.EnvelopeError("not JSON"), Reason.MALFORMED, "malformed-event"),
        (errors.RecordSkipped("named"), Reason.SKIPPED, "skipped"),
        (errors.InternalError("a bug"), Reason.INTERNAL_ERROR, "internal-error"),
    ],
)
def test_a_record_that_is_no_event_has_failed(
    error: errors.RecordError, reason: Reason, code: str
) -> None:
    verdict = unread(error, dry_run=True)
    assert (verdict.decision, verdict.reason, verdict.basis) == (
        Decision.FAILED,
        reason,
        Basis.EVENT,
    )
    assert verdict.dry_run
    assert verdict.error is not None
    assert (verdict.error.code, verdict.error.message) == (code, str(error))
