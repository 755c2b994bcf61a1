"""What an interaction's record remembers of each decision."""

from __future__ import annotations

import msgspec
import pytest

from streams.core.decision import apply
from streams.core.records import Basis, Decision, Reason, Verdict
from tests.support.decisions import (
    EMPTY,
    NOT_COMPLETED,
    PATCHED,
    SENT,
    WOULD_PATCH,
    after,
    event,
    ineligible,
)


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
