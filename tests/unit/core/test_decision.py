"""Every branch of the decision, one source record at a time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams import errors
from streams.core.decision import (
    Fetch,
    Patch,
    Policy,
    Settle,
    Step,
    after_error,
    after_fetch,
    after_patch,
    apply,
    begin,
    in_doubt,
    resume,
)
from streams.core.envelope import InteractionEvent
from streams.core.faults import fault
from streams.core.interaction import Interaction
from streams.core.records import (
    Basis,
    Decision,
    Intent,
    InteractionRecord,
    Reason,
    Verdict,
)

CODE = "code-1"
REAL = Policy(CODE)
ALWAYS = Policy(CODE, fetch="always")
DRY = Policy(CODE, dry_run=True)
SENT = Intent(41, CODE)
PATCH = Patch(CODE, '"v1"', 60_000)
EMPTY = InteractionRecord("i-1")

PATCHED = Verdict(
    Decision.PATCHED, Reason.ELIGIBLE, Basis.API, disposition_code_id=CODE, duration_ms=60_000
)
WOULD_PATCH = Verdict(
    Decision.WOULD_PATCH,
    Reason.ELIGIBLE,
    Basis.API,
    dry_run=True,
    disposition_code_id=CODE,
    duration_ms=60_000,
)


def event(sequence_id: int | str = 5, **fields: Any) -> InteractionEvent:
    values: dict[str, Any] = {"interaction_type": "voice", "state": "completed"}
    order = sequence_id if isinstance(sequence_id, int) else None
    return InteractionEvent(
        interaction_id="i-1",
        sequence_id=sequence_id,
        order=order,
        event_id=None,
        event_time=None,
        **(values | fields),
    )


def interaction(**fields: Any) -> Interaction:
    values: dict[str, Any] = {
        "id": "i-1",
        "type": "voice",
        "state": "completed",
        "disposition_code_id": None,
        "wrap_up_code_id": None,
        "duration_ms": 60_000,
        "etag": '"v1"',
    }
    return Interaction(**(values | fields))


def ineligible(reason: Reason, basis: Basis = Basis.API) -> Verdict:
    return Verdict(Decision.INELIGIBLE, reason, basis, duration_ms=9)


def settled(step: Step | None) -> Verdict:
    assert isinstance(step, Settle)
    return step.verdict


def told(step: Step | None) -> tuple[str, str, str]:
    verdict = settled(step)
    return verdict.decision, verdict.reason, verdict.basis


def after(*events: tuple[InteractionEvent, Verdict]) -> InteractionRecord:
    """The interaction's record once these were decided so, at offsets 0, 1, ..."""
    record = EMPTY
    for offset, (one, verdict) in enumerate(events):
        record = apply(record, one, offset, verdict, 1_000 + offset)
    return record


NOT_COMPLETED = ineligible(Reason.NOT_COMPLETED, Basis.EVENT)


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
        assert told(step) == ("ineligible", "non-voice-interaction", "event")

    def test_the_type_is_remembered_for_events_that_lack_it(self) -> None:
        record = InteractionRecord("i-1", interaction_type="chat")
        step = begin(record, event(interaction_type=None), 0, REAL)
        assert told(step) == ("ineligible", "non-voice-interaction", "cache")
        assert begin(record, event(interaction_type="voice"), 0, REAL) == Fetch()

    @pytest.mark.parametrize("state", ["queued", "connected", "acw", "", None])
    def test_what_is_not_over_needs_no_call(self, state: str | None) -> None:
        step = begin(EMPTY, event(state=state), 0, REAL)
        assert told(step) == ("ineligible", "interaction-not-completed", "event")

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
            assert told(begin(record, again, 1, policy)) == (
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
            assert told(begin(record, late, 1, policy)) == ("stale", "stale-sequence", "cache")

    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    def test_a_late_completed_is_decided_while_nothing_is_final(self, policy: Policy) -> None:
        record = after((event(5, state="acw"), NOT_COMPLETED))
        assert begin(record, event(4), 1, policy) == Fetch()

    def test_a_late_completed_that_is_not_voice_is_decided_too(self) -> None:
        record = after((event(5, state="acw", interaction_type=None), NOT_COMPLETED))
        step = begin(record, event(4, interaction_type="chat"), 1, REAL)
        assert told(step) == ("ineligible", "non-voice-interaction", "event")

    @pytest.mark.parametrize("policy", [REAL, ALWAYS, DRY])
    @pytest.mark.parametrize(
        "verdict", [PATCHED, ineligible(Reason.TOO_SHORT), ineligible(Reason.WRAP_UP_SET)]
    )
    def test_a_late_completed_is_stale_after_the_final_decision(
        self, policy: Policy, verdict: Verdict
    ) -> None:
        record = after((event(5), verdict))
        assert told(begin(record, event(4), 1, policy)) == ("stale", "stale-sequence", "cache")

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
        assert told(step) == ("ineligible", reason, "cache")
        assert settled(step).duration_ms == verdict.duration_ms
        assert settled(step).dry_run is policy.dry_run
        open_again = begin(record, event(7, state="acw"), 2, policy)
        assert told(open_again) == ("ineligible", "interaction-not-completed", "event")

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

    def test_a_dry_run_is_told_in_every_verdict(self) -> None:
        assert settled(begin(EMPTY, event(state="queued"), 0, DRY)).dry_run
        assert not settled(begin(EMPTY, event(state="queued"), 0, REAL)).dry_run


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
            assert told(step) == ("ineligible", "interaction-not-completed", "event")

    def test_without_an_intent_there_is_no_doubt(self) -> None:
        assert not in_doubt(EMPTY, 41)

    @pytest.mark.parametrize(
        "policy", [REAL, DRY, Policy("another code"), Policy(None, dry_run=True)]
    )
    def test_our_code_there_is_our_patch(self, policy: Policy) -> None:
        shown = interaction(disposition_code_id=CODE, wrap_up_code_id="w", duration_ms=3)
        verdict = settled(after_fetch(shown, SENT, policy))
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
        assert told(step) == ("ineligible", "disposition-already-set", "api")
        assert not settled(step).recovered


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
        assert told(step) == ("ineligible", reason, "api")
        assert settled(step).duration_ms == shown.duration_ms
        assert settled(step).dry_run is policy.dry_run
        assert settled(step).disposition_code_id is None

    def test_the_threshold_is_the_policys(self) -> None:
        strict = Policy(CODE, threshold_ms=60_001)
        assert told(after_fetch(interaction(), None, strict))[1] == "duration-below-threshold"

    @pytest.mark.parametrize("code", [CODE, None])
    def test_a_dry_run_only_says_so(self, code: str | None) -> None:
        verdict = settled(after_fetch(interaction(), None, Policy(code, dry_run=True)))
        assert verdict == msgspec.structs.replace(WOULD_PATCH, disposition_code_id=code)

    def test_without_a_code_nothing_is_ever_sent(self) -> None:
        assert told(after_fetch(interaction(), None, Policy(None)))[0] == "would-patch"


def test_after_the_patch_it_is_patched() -> None:
    verdict = settled(after_patch(PATCH, 204))
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
        assert told(step) == (decision, reason, "api")
        verdict = settled(step)
        assert verdict.dry_run is policy.dry_run
        assert (verdict.patch_status, verdict.disposition_code_id) == (None, None)
        assert verdict.error == fault(error)

    @pytest.mark.parametrize(("error", "decision", "reason"), PERMANENT)
    def test_a_permanent_one_on_a_patch_is_final(
        self, error: errors.ApiError, decision: str, reason: str
    ) -> None:
        step = after_error(error, PATCH, None, REAL)
        assert told(step) == (decision, reason, "api")
        verdict = settled(step)
        assert verdict.patch_status == error.status
        assert (verdict.disposition_code_id, verdict.duration_ms) == (CODE, 60_000)

    def test_a_conflict_after_a_doubtful_patch_may_be_with_ourselves(self) -> None:
        conflict = errors.Conflict("changed", status=412)
        assert after_error(conflict, PATCH, SENT, REAL) == Fetch()
        assert told(after_error(conflict, None, SENT, REAL))[0] == "conflict"
        gone = errors.NotFound("gone", status=410)
        assert told(after_error(gone, PATCH, SENT, REAL))[0] == "not-found"


class TestApply:
    def test_keeps_what_was_decided_and_when(self) -> None:
        first = apply(EMPTY, event(5), 41, PATCHED, 1_000)
        assert first.verdict == PATCHED
        assert first.settled == PATCHED
        assert first.last_offset == 41
        assert first.seen.ranges == ((5, 5),)
        assert (first.interaction_type, first.state) == ("voice", "completed")
        assert (first.events, first.first_seen_at, first.updated_at) == (1, 1_000, 1_000)
        duplicate = Verdict(Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE, Basis.CACHE)
        second = apply(first, event(5), 44, duplicate, 2_000)
        assert (second.verdict, second.settled, second.last_offset) == (duplicate, PATCHED, 44)
        assert (second.events, second.first_seen_at, second.updated_at) == (2, 1_000, 2_000)

    def test_the_doubt_is_over(self) -> None:
        record = msgspec.structs.replace(EMPTY, intent=SENT)
        assert apply(record, event(), 41, PATCHED, 1_000).intent is None

    def test_the_state_never_goes_backwards(self) -> None:
        record = after((event(5, state="connected"), NOT_COMPLETED))
        late = apply(record, event(4, state="queued", interaction_type="chat"), 1, NOT_COMPLETED, 2)
        assert (late.state, late.interaction_type) == ("connected", "voice")
        again = apply(record, event(5, state="queued"), 1, NOT_COMPLETED, 2)
        assert again.state == "connected"
        newer = apply(record, event(6, state="acw"), 1, NOT_COMPLETED, 2)
        assert newer.state == "acw"
        without_order = apply(record, event("x", state="acw"), 1, NOT_COMPLETED, 2)
        assert without_order.state == "acw"

    def test_an_event_that_says_less_takes_nothing_away(self) -> None:
        record = after((event(5, state="connected"), NOT_COMPLETED))
        bare = apply(record, event(6, state=None, interaction_type=None), 1, NOT_COMPLETED, 2)
        assert (bare.state, bare.interaction_type) == ("connected", "voice")

    @pytest.mark.parametrize(
        "verdict",
        [
            PATCHED,
            WOULD_PATCH,
            ineligible(Reason.NON_VOICE, Basis.EVENT),
            ineligible(Reason.DISPOSITION_SET),
            ineligible(Reason.WRAP_UP_SET),
            ineligible(Reason.TOO_SHORT),
        ],
    )
    def test_what_nothing_can_change_is_final(self, verdict: Verdict) -> None:
        assert apply(EMPTY, event(), 0, verdict, 1).settled == verdict

    @pytest.mark.parametrize(
        "verdict",
        [
            NOT_COMPLETED,
            Verdict(Decision.DUPLICATE, Reason.DUPLICATE_SEQUENCE, Basis.CACHE),
            Verdict(Decision.STALE, Reason.STALE_SEQUENCE, Basis.CACHE),
            Verdict(Decision.CONFLICT, Reason.CONCURRENT_MODIFICATION, Basis.API),
            Verdict(Decision.NOT_FOUND, Reason.NOT_FOUND, Basis.API),
            Verdict(Decision.FAILED, Reason.FORBIDDEN, Basis.API),
        ],
    )
    def test_what_may_still_change_is_not(self, verdict: Verdict) -> None:
        assert apply(EMPTY, event(), 0, verdict, 1).settled is None

    @pytest.mark.parametrize("first", [PATCHED, ineligible(Reason.TOO_SHORT)])
    def test_the_first_final_decision_stands(self, first: Verdict) -> None:
        record = after((event(5), first))
        for later in (
            ineligible(Reason.NON_VOICE, Basis.EVENT),
            ineligible(Reason.DISPOSITION_SET, Basis.CACHE),
        ):
            assert apply(record, event(6), 1, later, 2).settled == first


class TestDryRunThenRealRun:
    def test_what_would_have_been_patched_is_patched_when_it_is_real(self) -> None:
        record = after((event(5), WOULD_PATCH))
        assert told(begin(record, event(6), 1, DRY)) == (
            "ineligible",
            "disposition-already-set",
            "cache",
        )
        assert begin(record, event(6), 1, REAL) == Fetch()
        assert apply(record, event(6), 1, PATCHED, 2).settled == PATCHED

    def test_however_much_the_dry_run_saw_after_it(self) -> None:
        record = after((event(5), WOULD_PATCH))
        for number, arriving in enumerate((event(6), event(6), event(7, state="acw"), event(3)), 1):
            record = apply(
                record, arriving, number, settled(begin(record, arriving, number, DRY)), 9
            )
        assert begin(record, event(8), 9, REAL) == Fetch()

    def test_a_late_completed_is_decided_anew(self) -> None:
        record = after((event(5), WOULD_PATCH))
        assert told(begin(record, event(4), 1, DRY))[0] == "stale"
        assert begin(record, event(4), 1, REAL) == Fetch()

    @pytest.mark.parametrize("reason", [Reason.DISPOSITION_SET, Reason.TOO_SHORT, Reason.NON_VOICE])
    def test_what_a_dry_run_found_ineligible_stays_so(self, reason: Reason) -> None:
        found = msgspec.structs.replace(ineligible(reason), dry_run=True)
        step = begin(after((event(5), found)), event(6), 1, REAL)
        assert told(step) == ("ineligible", reason.value, "cache")

    def test_what_was_patched_needs_no_call_in_a_dry_run(self) -> None:
        step = begin(after((event(5), PATCHED)), event(6), 1, DRY)
        assert told(step) == ("ineligible", "disposition-already-set", "cache")


@pytest.mark.parametrize("reason", [Reason.TOO_SHORT, Reason.WRAP_UP_SET, Reason.DISPOSITION_SET])
def test_one_that_was_sent_back_is_judged_by_the_rules_of_today(reason: Reason) -> None:
    record = InteractionRecord("i-1", settled=ineligible(reason))
    policy = Policy(code="c")

    assert isinstance(resume(record, event(), 4, policy), Settle)
    assert resume(record, event(), 4, policy, redriven=True) == Fetch()


def test_one_that_was_sent_back_gets_no_second_code() -> None:
    record = InteractionRecord("i-1", settled=Verdict(Decision.PATCHED, Reason.ELIGIBLE, Basis.API))

    step = resume(record, event(), 4, Policy(code="c"), redriven=True)

    assert isinstance(step, Settle)
    assert step.verdict.reason is Reason.DISPOSITION_SET
