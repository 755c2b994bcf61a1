"""The first step for a source record: what is decided without a call, and what is asked."""

from __future__ import annotations

import pytest

from streams.core.decision import Fetch, Policy, begin
from streams.core.records import Basis, Decision, InteractionRecord, Reason, Verdict
from tests.support.decisions import (
    ALWAYS,
    DRY,
    EMPTY,
    NOT_COMPLETED,
    PATCHED,
    REAL,
    after,
    decision_of,
    event,
    ineligible,
    verdict_of,
)


class TestBegin:
    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    def test_a_completed_voice_interaction_is_asked_for(self, policy: Policy) -> None:
        assert begin(EMPTY, event(), 0, policy) == Fetch()

    def test_without_a_type_anywhere_the_api_is_asked(self) -> None:
        assert begin(EMPTY, event(interaction_type=None), 0, REAL) == Fetch()

    @pytest.mark.parametrize("kind", ["chat", "email", "callback"])
    @pytest.mark.parametrize("state", ["queued", "completed", None])
    def test_what_is_not_voice_needs_no_call(self, kind: str, state: str | None) -> None:
        step = begin(EMPTY, event(interaction_type=kind, state=state), 0, REAL)
        assert decision_of(step) == ("ineligible", "non-voice-interaction", "event")

    def test_the_type_is_remembered_for_events_that_lack_it(self) -> None:
        record = InteractionRecord("i-1", interaction_type="chat")
        step = begin(record, event(interaction_type=None), 0, REAL)
        assert decision_of(step) == ("ineligible", "non-voice-interaction", "cache")
        assert begin(record, event(interaction_type="voice"), 0, REAL) == Fetch()

    @pytest.mark.parametrize("state", ["queued", "connected", "acw", "", None])
    def test_what_is_not_over_needs_no_call(self, state: str | None) -> None:
        step = begin(EMPTY, event(state=state), 0, REAL)
        assert decision_of(step) == ("ineligible", "interaction-not-completed", "event")

    @pytest.mark.parametrize(
        ("kind", "state"), [("voice", "queued"), ("chat", "completed"), (None, None)]
    )
    def test_always_asks_for_every_event_that_is_new(
        self, kind: str | None, state: str | None
    ) -> None:
        assert begin(EMPTY, event(interaction_type=kind, state=state), 0, ALWAYS) == Fetch()

    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    @pytest.mark.parametrize("kind", ["voice", "chat", None])
    @pytest.mark.parametrize("state", ["completed", "queued"])
    def test_seen_before_comes_before_all_rules(
        self, policy: Policy, kind: str | None, state: str
    ) -> None:
        for identity in (5, "opaque"):
            again = event(identity, interaction_type=kind, state=state)
            record = after((event(identity), ineligible(Reason.NOT_COMPLETED)))
            assert decision_of(begin(record, again, 1, policy)) == (
                "duplicate",
                "duplicate-sequence",
                "cache",
            )

    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    @pytest.mark.parametrize("kind", ["voice", "chat", None])
    @pytest.mark.parametrize("state", ["queued", None])
    def test_lower_and_new_comes_before_all_rules(
        self, policy: Policy, kind: str | None, state: str | None
    ) -> None:
        late = event(4, interaction_type=kind, state=state)
        for verdict in (NOT_COMPLETED, PATCHED):
            record = after((event(5), verdict))
            assert decision_of(begin(record, late, 1, policy)) == (
                "stale",
                "stale-sequence",
                "cache",
            )

    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    def test_a_late_completed_is_decided_while_nothing_is_final(self, policy: Policy) -> None:
        record = after((event(5, state="acw"), NOT_COMPLETED))
        assert begin(record, event(4), 1, policy) == Fetch()

    def test_a_late_completed_that_is_not_voice_is_decided_too(self) -> None:
        record = after((event(5, state="acw", interaction_type=None), NOT_COMPLETED))
        step = begin(record, event(4, interaction_type="chat"), 1, REAL)
        assert decision_of(step) == ("ineligible", "non-voice-interaction", "event")

    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    @pytest.mark.parametrize(
        "verdict", [PATCHED, ineligible(Reason.TOO_SHORT), ineligible(Reason.WRAP_UP_SET)]
    )
    def test_a_late_completed_is_stale_after_the_final_decision(
        self, policy: Policy, verdict: Verdict
    ) -> None:
        record = after((event(5), verdict))
        assert decision_of(begin(record, event(4), 1, policy)) == (
            "stale",
            "stale-sequence",
            "cache",
        )

    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    @pytest.mark.parametrize(
        ("verdict", "reason"),
        [
            (PATCHED, "disposition-already-set"),
            (ineligible(Reason.DISPOSITION_SET), "disposition-already-set"),
            (ineligible(Reason.WRAP_UP_SET), "wrap-up-already-set"),
            (ineligible(Reason.TOO_SHORT), "duration-below-threshold"),
            (ineligible(Reason.NON_VOICE), "non-voice-interaction"),
        ],
    )
    def test_the_table_answers_what_the_api_has_settled(
        self, policy: Policy, verdict: Verdict, reason: str
    ) -> None:
        record = after((event(5), verdict))
        step = begin(record, event(6), 1, policy)
        assert decision_of(step) == ("ineligible", reason, "cache")
        assert verdict_of(step).duration_ms == verdict.duration_ms
        assert verdict_of(step).dry_run is policy.dry_run
        open_again = begin(record, event(7, state="acw"), 2, policy)
        assert decision_of(open_again) == ("ineligible", "interaction-not-completed", "event")

    @pytest.mark.parametrize(
        "verdict",
        [
            ineligible(Reason.NOT_COMPLETED),
            Verdict(Decision.CONFLICT, Reason.CONCURRENT_MODIFICATION, Basis.API),
            Verdict(Decision.NOT_FOUND, Reason.NOT_FOUND, Basis.API),
            Verdict(Decision.FAILED, Reason.BAD_REQUEST, Basis.API),
        ],
    )
    def test_what_may_change_is_asked_again(self, verdict: Verdict) -> None:
        assert begin(after((event(5), verdict)), event(6), 1, REAL) == Fetch()

    def test_a_dry_run_shows_in_every_verdict(self) -> None:
        assert verdict_of(begin(EMPTY, event(state="queued"), 0, DRY)).dry_run
        assert not verdict_of(begin(EMPTY, event(state="queued"), 0, REAL)).dry_run
