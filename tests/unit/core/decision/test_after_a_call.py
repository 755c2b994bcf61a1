"""What follows a call: an interaction as the API shows it, a PATCH that went well, an error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams import errors
from streams.core.decision import Fetch, Patch, Policy, after_error, after_fetch, after_patch
from streams.core.faults import fault
from streams.core.records import Intent
from tests.support.decisions import (
    CODE,
    DRY,
    PATCH,
    PATCHED,
    REAL,
    SENT,
    WOULD_PATCH,
    decision_of,
    interaction,
    verdict_of,
)


class TestAfterFetch:
    def test_eligible_is_patched_as_it_was_seen(self) -> None:
        assert after_fetch(interaction(), None, REAL) == Patch(CODE, '"v1"', 60_000)

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"type": "chat"}, "non-voice-interaction"),
            ({"type": None}, "non-voice-interaction"),
            ({"state": "connected"}, "interaction-not-completed"),
            ({"disposition_code_id": CODE}, "disposition-already-set"),
            ({"wrap_up_code_id": "w"}, "wrap-up-already-set"),
            ({"duration_ms": 29_999}, "duration-below-threshold"),
        ],
    )
    @pytest.mark.parametrize("policy", [REAL, DRY])
    def test_what_the_api_says_wins(
        self, policy: Policy, fields: dict[str, Any], reason: str
    ) -> None:
        shown = interaction(**fields)
        step = after_fetch(shown, None, policy)
        assert decision_of(step) == ("ineligible", reason, "api")
        assert verdict_of(step).duration_ms == shown.duration_ms
        assert verdict_of(step).dry_run is policy.dry_run
        assert verdict_of(step).disposition_code_id is None

    def test_the_threshold_is_the_policys(self) -> None:
        strict = Policy(CODE, threshold_ms=60_001)
        assert (
            decision_of(after_fetch(interaction(), None, strict))[1] == "duration-below-threshold"
        )

    @pytest.mark.parametrize("code", [CODE, None])
    def test_a_dry_run_only_says_so(self, code: str | None) -> None:
        verdict = verdict_of(after_fetch(interaction(), None, Policy(code, dry_run=True)))
        assert verdict == msgspec.structs.replace(WOULD_PATCH, disposition_code_id=code)

    def test_without_a_code_nothing_is_ever_sent(self) -> None:
        assert decision_of(after_fetch(interaction(), None, Policy(None)))[0] == "would-patch"


def test_after_the_patch_it_is_patched() -> None:
    verdict = verdict_of(after_patch(PATCH, 204))
    assert verdict == msgspec.structs.replace(PATCHED, patch_status=204)


RETRIABLE = [
    errors.Unauthorized("no", status=401),
    errors.RateLimited("slow down", retry_after=3),
    errors.ServerError("down", status=503),
    errors.ApiTimeout("nothing"),
    errors.ConnectionLost("gone"),
]

PERMANENT: list[tuple[errors.ApiError, str, str]] = [
    (errors.Forbidden("no", status=403), "failed", "forbidden"),
    (errors.NotFound("none", status=404), "not-found", "interaction-not-found"),
    (errors.Conflict("changed", status=409), "conflict", "concurrent-modification"),
    (errors.Conflict("changed", status=412), "conflict", "concurrent-modification"),
    (errors.BadRequest("what", status=400), "failed", "bad-request"),
]


class TestAfterError:
    @pytest.mark.parametrize("error", RETRIABLE)
    @pytest.mark.parametrize("patch", [None, PATCH])
    @pytest.mark.parametrize("sent", [None, SENT])
    def test_what_may_pass_is_tried_again(
        self, error: errors.ApiError, patch: Patch | None, sent: Intent | None
    ) -> None:
        assert after_error(error, patch, sent, REAL) is None

    @pytest.mark.parametrize("kind", [errors.ServerError, errors.ApiTimeout, errors.ConnectionLost])
    @pytest.mark.parametrize("sent", [None, SENT])
    def test_a_patch_that_may_have_landed_is_looked_at(
        self, kind: type[errors.ApiError], sent: Intent | None
    ) -> None:
        error = kind("lost", maybe_applied=True)
        assert after_error(error, PATCH, sent, REAL) == Fetch()
        assert after_error(error, None, sent, REAL) is None

    def test_an_answer_that_makes_no_sense_may_have_landed_too(self) -> None:
        error = errors.BadRequest("no JSON", maybe_applied=True)
        assert after_error(error, PATCH, None, REAL) == Fetch()

    @pytest.mark.parametrize(("error", "decision", "reason"), PERMANENT)
    @pytest.mark.parametrize("policy", [REAL, DRY])
    def test_a_permanent_one_on_a_get_is_final(
        self, policy: Policy, error: errors.ApiError, decision: str, reason: str
    ) -> None:
        step = after_error(error, None, None, policy)
        assert decision_of(step) == (decision, reason, "api")
        verdict = verdict_of(step)
        assert verdict.dry_run is policy.dry_run
        assert (verdict.patch_status, verdict.disposition_code_id) == (None, None)
        assert verdict.error == fault(error)

    @pytest.mark.parametrize(("error", "decision", "reason"), PERMANENT)
    def test_a_permanent_one_on_a_patch_is_final(
        self, error: errors.ApiError, decision: str, reason: str
    ) -> None:
        step = after_error(error, PATCH, None, REAL)
        assert decision_of(step) == (decision, reason, "api")
        verdict = verdict_of(step)
        assert verdict.patch_status == error.status
        assert (verdict.disposition_code_id, verdict.duration_ms) == (CODE, 60_000)

    def test_a_conflict_after_a_doubtful_patch_may_be_with_ourselves(self) -> None:
        conflict = errors.Conflict("changed", status=412)
        assert after_error(conflict, PATCH, SENT, REAL) == Fetch()
        assert decision_of(after_error(conflict, None, SENT, REAL))[0] == "conflict"
        gone = errors.NotFound("gone", status=410)
        assert decision_of(after_error(gone, PATCH, SENT, REAL))[0] == "not-found"
