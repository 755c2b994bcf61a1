"""Whether a record was decided before: offsets prove it, within one life of the log."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from streams.core import decision
from streams.core.decision import Policy
from streams.core.envelope import InteractionEvent
from streams.core.records import Basis, Decision, Intent, InteractionRecord, Reason, Verdict
from streams.core.redelivery import Appearance, Redelivery, of_life, redelivery_of

CONNECTED = Verdict(Decision.INELIGIBLE, Reason.NOT_COMPLETED, Basis.EVENT, decided_at="then")
DECIDED_AT = 1_000_000


def event(sequence: int | str) -> InteractionEvent:
    order = sequence if isinstance(sequence, int) else None
    return InteractionEvent("i-1", sequence, order, "voice", "connected", None, None)


def decided(*at: tuple[int, int], life: str = "one") -> InteractionRecord:
    """The record after these sequences were decided at these offsets."""
    record = InteractionRecord("i-1", life=life)
    for sequence, offset in at:
        record = decision.apply(record, event(sequence), offset, CONNECTED, DECIDED_AT)
    return record


def seen_again(
    record: InteractionRecord, sequence: int, offset: int, *, life: str = "one", time_ms: int = 1
) -> Redelivery | None:
    appearance = Appearance(offset=offset, life=life, time_ms=time_ms)
    return redelivery_of(of_life(record, life), event(sequence), appearance)


def test_the_last_one_is_published_again_as_it_was_decided() -> None:
    assert seen_again(decided((1, 7), (2, 9)), 2, 9) == Redelivery(CONNECTED)


def test_one_before_the_last_was_surely_published() -> None:
    assert seen_again(decided((1, 7), (2, 9)), 1, 7) == Redelivery(None)


def test_one_behind_the_last_is_to_be_decided() -> None:
    assert seen_again(decided((1, 7), (2, 9)), 3, 10) is None


def test_in_the_first_life_the_time_of_a_record_proves_nothing() -> None:
    assert seen_again(decided((1, 7)), 1, 8, time_ms=1) is None


@pytest.mark.parametrize("offset", [0, 7, 9, 40])
def test_a_new_record_at_an_old_offset_is_decided(offset: int) -> None:
    """The log was cut at 4 and has other records at 4 to 9 now; they passed for published."""
    record = decided((1, 7), (2, 9))
    again = seen_again(record, 3, offset, life="two", time_ms=DECIDED_AT + 1)
    assert again is None


def test_an_old_record_that_the_cut_log_still_has_is_not_published_again() -> None:
    record = decided((1, 7), (2, 9))
    assert seen_again(record, 1, 7, life="two", time_ms=DECIDED_AT - 1) == Redelivery(None)
    assert seen_again(record, 2, 9, life="two", time_ms=DECIDED_AT) == Redelivery(None)


def test_an_old_event_sent_anew_into_the_new_log_has_its_outcome() -> None:
    record = decided((1, 7), (2, 9))
    assert seen_again(record, 2, 3, life="two", time_ms=DECIDED_AT + 1) is None
    after = of_life(record, "two")
    step = decision.begin(after, event(2), 3, Policy(code="c"))
    assert isinstance(step, decision.Settle)
    assert step.verdict.decision is Decision.DUPLICATE


def test_offsets_of_the_new_life_count_again() -> None:
    record = of_life(decided((1, 7), (2, 9)), "two")
    record = decision.apply(record, event(3), 2, CONNECTED, DECIDED_AT + 5)
    assert seen_again(record, 3, 2, life="two", time_ms=DECIDED_AT + 1) == Redelivery(CONNECTED)
    assert seen_again(record, 4, 3, life="two", time_ms=DECIDED_AT + 1) is None


def test_a_record_written_before_lives_were_kept_is_of_this_one() -> None:
    record = decided((1, 7), life="")
    assert seen_again(record, 1, 7, life="one") == Redelivery(CONNECTED)
    assert of_life(record, "one").last_offset == 7


def test_where_the_broker_gives_no_life_nothing_changes() -> None:
    record = decided((1, 7), life="")
    assert of_life(record, "") is record


def test_a_patch_in_doubt_is_taken_for_ours_in_the_next_life() -> None:
    """Its own record may not come again, so whoever meets the code says that it patched."""
    record = InteractionRecord("i-1", life="one", intent=Intent(12, "code"))
    assert decision.doubt(record, 3) is None
    after = of_life(record, "two")
    doubt = decision.doubt(after, 3)
    assert doubt is not None
    assert doubt.disposition_code_id == "code"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.integers(0, 20), st.integers(0, 9))
def test_no_sequence_that_was_never_applied_passes_for_published_in_a_new_life(
    sequences: list[int], offset: int, sequence: int
) -> None:
    record = decided(*((number, 10 + at) for at, number in enumerate(sequences)))
    for time_ms in (DECIDED_AT - 1, DECIDED_AT + 1):
        again = seen_again(record, sequence, offset, life="two", time_ms=time_ms)
        assert (again is not None) == (sequence in sequences and time_ms <= DECIDED_AT)
