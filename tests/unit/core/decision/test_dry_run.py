"""What a dry run has found, once the run is real."""

from __future__ import annotations

import msgspec
import pytest

from streams.core.decision import Fetch, apply, begin
from streams.core.records import Reason
from tests.support.decisions import (
    DRY,
    PATCHED,
    REAL,
    WOULD_PATCH,
    after,
    decision_of,
    event,
    ineligible,
    verdict_of,
)


class TestDryRunThenRealRun:
    def test_what_would_have_been_patched_is_patched_when_it_is_real(self) -> None:
        record = after((event(5), WOULD_PATCH))
        assert decision_of(begin(record, event(6), 1, DRY)) == (
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
                record, arriving, number, verdict_of(begin(record, arriving, number, DRY)), 9
            )
        assert begin(record, event(8), 9, REAL) == Fetch()

    def test_a_late_completed_is_decided_anew(self) -> None:
        record = after((event(5), WOULD_PATCH))
        assert decision_of(begin(record, event(4), 1, DRY))[0] == "stale"
        assert begin(record, event(4), 1, REAL) == Fetch()

    @pytest.mark.parametrize("reason", [Reason.DISPOSITION_SET, Reason.TOO_SHORT, Reason.NON_VOICE])
    def test_what_a_dry_run_found_ineligible_stays_so(self, reason: Reason) -> None:
        found = msgspec.structs.replace(ineligible(reason), dry_run=True)
        step = begin(after((event(5), found)), event(6), 1, REAL)
        assert decision_of(step) == ("ineligible", reason.value, "cache")

    def test_what_was_patched_needs_no_call_in_a_dry_run(self) -> None:
        step = begin(after((event(5), PATCHED)), event(6), 1, DRY)
        assert decision_of(step) == ("ineligible", "disposition-already-set", "cache")
