"""A record whose PATCH may have left: it is looked at first, and our code there is ours."""

from __future__ import annotations

import msgspec
import pytest

from streams.core.decision import Fetch, Patch, Policy, after_fetch, begin, in_doubt
from streams.core.envelope import InteractionEvent
from streams.core.records import Basis, Decision, Reason, Verdict
from tests.support.decisions import (
    ALWAYS,
    CODE,
    DRY,
    EMPTY,
    NOT_COMPLETED,
    REAL,
    SENT,
    after,
    decision_of,
    event,
    interaction,
    verdict_of,
)


class TestInDoubt:
    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    @pytest.mark.parametrize("arriving", [event(), event(state="queued", interaction_type="chat")])
    def test_the_very_record_looks_first(self, policy: Policy, arriving: InteractionEvent) -> None:
        record = msgspec.structs.replace(after((event(9), NOT_COMPLETED)), intent=SENT)
        assert in_doubt(record, 41)
        assert begin(record, arriving, 41, policy) == Fetch()

    def test_another_record_is_decided_like_any_other(self) -> None:
        record = msgspec.structs.replace(EMPTY, intent=SENT)
        for offset in (0, 40, 42):
            assert not in_doubt(record, offset)
            step = begin(record, event(state="queued"), offset, REAL)
            assert decision_of(step) == ("ineligible", "interaction-not-completed", "event")

    def test_without_an_intent_there_is_no_doubt(self) -> None:
        assert not in_doubt(EMPTY, 41)

    @pytest.mark.parametrize(
        "policy", [REAL, DRY, Policy("another code"), Policy(None, dry_run=True)]
    )
    def test_our_code_there_is_our_patch(self, policy: Policy) -> None:
        shown = interaction(disposition_code_id=CODE, wrap_up_code_id="w", duration_ms=3)
        verdict = verdict_of(after_fetch(shown, SENT, policy))
        assert verdict == Verdict(
            Decision.PATCHED,
            Reason.ELIGIBLE,
            Basis.API,
            dry_run=False,
            disposition_code_id=CODE,
            patch_status=None,
            recovered=True,
            duration_ms=3,
        )

    def test_not_there_is_sent_again(self) -> None:
        assert after_fetch(interaction(etag=None), SENT, REAL) == Patch(CODE, None, 60_000)

    def test_somebody_elses_code_is_theirs(self) -> None:
        step = after_fetch(interaction(disposition_code_id="other"), SENT, REAL)
        assert decision_of(step) == ("ineligible", "disposition-already-set", "api")
        assert not verdict_of(step).recovered
