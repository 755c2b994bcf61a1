"""The same leg always has the same id, and no two have one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.records import Source
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import outcome_id

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
attempts = st.none() | st.integers(1, 3)
legs = st.tuples(ids, ids, attempts, st.integers(0, 2))


def id_of(leg: tuple[str, str, int | None, int]) -> str:
    conversation_id, participant_id, attempt, redriven = leg
    return leg_outcome_id(conversation_id, participant_id, attempt, redriven=redriven)


def test_an_id_never_changes() -> None:
    """Consumers drop by it what they have seen: it is the same in every release."""
    assert leg_outcome_id("c-1", "p-1") == "1be34f25-958d-5ef3-a6b2-08037365071e"


@given(legs, legs)
def test_two_outcomes_have_one_id_only_when_they_are_the_same(
    one: tuple[str, str, int | None, int], other: tuple[str, str, int | None, int]
) -> None:
    assert (id_of(one) == id_of(other)) is (one == other)


@given(ids, ids, st.integers(0, 9))
def test_no_source_record_has_the_id_of_a_leg(
    conversation_id: str, participant_id: str, offset: int
) -> None:
    source = Source(f"leg of conversation/{conversation_id}", 0, offset)
    assert leg_outcome_id(conversation_id, participant_id) != outcome_id(source)
