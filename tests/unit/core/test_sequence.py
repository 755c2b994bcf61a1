"""The memory of an interaction against a set that forgets nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.envelope import InteractionEvent
from streams.core.records import Seen
from streams.core.sequence import (
    MAX_OPAQUE,
    MAX_RANGES,
    Standing,
    gaps,
    highest,
    remember,
    standing,
)


def event(sequence_id: int | str) -> InteractionEvent:
    number = sequence_id if isinstance(sequence_id, int) else None
    if isinstance(sequence_id, str) and sequence_id.isdecimal():
        number = int(sequence_id)
    return InteractionEvent("i-1", sequence_id, number, "voice", "queued", None, None)


def seen_after(*sequence_ids: int | str) -> Seen:
    seen = Seen()
    for sequence_id in sequence_ids:
        seen = remember(seen, event(sequence_id))
    return seen


# Close together, so that they repeat and touch; numbers, the same as strings, and ids of no order.
numbers = st.integers(-5, 25)
ids = numbers | st.integers(0, 25).map(str) | st.sampled_from(["a", "b", "c"])


@given(st.lists(ids, max_size=60))
def test_it_stands_as_a_set_says(sequence_ids: list[int | str]) -> None:
    seen, known = Seen(), set[int | str]()
    for sequence_id in sequence_ids:
        arriving = event(sequence_id)
        known_numbers = [one for one in known if isinstance(one, int)]
        if arriving.identity in known:
            expected = Standing.DUPLICATE
        elif arriving.order is not None and arriving.order < max(known_numbers, default=-100):
            expected = Standing.STALE
        else:
            expected = Standing.NEW
        assert standing(seen, arriving) is expected
        seen = remember(seen, arriving)
        known.add(arriving.identity)
        assert standing(seen, arriving) is Standing.DUPLICATE
        known_numbers = sorted(one for one in known if isinstance(one, int))
        assert highest(seen) == max(known_numbers, default=None)
        assert gaps(seen) == sum(after - before - 1 for before, after in pairwise(known_numbers))


@given(st.lists(numbers, max_size=60))
def test_ranges_are_ascending_apart_and_complete(sequence_ids: list[int]) -> None:
    seen = seen_after(*sequence_ids)
    assert all(low <= high for low, high in seen.ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(seen.ranges))
    listed = [number for low, high in seen.ranges for number in range(low, high + 1)]
    assert listed == sorted(set(sequence_ids))


@given(st.permutations(range(12)))
def test_what_is_remembered_does_not_depend_on_the_order(order: list[int]) -> None:
    assert seen_after(*order) == Seen(ranges=((0, 11),))


def test_before_the_first_event_nothing_is_known() -> None:
    assert highest(Seen()) is None
    assert gaps(Seen()) == 0
    assert standing(Seen(), event(-7)) is Standing.NEW
    assert standing(Seen(), event("a")) is Standing.NEW


def test_zero_is_a_value_like_any_other() -> None:
    seen = seen_after(0)
    assert highest(seen) == 0
    assert standing(seen, event(0)) is Standing.DUPLICATE
    assert standing(seen, event(1)) is Standing.NEW
    assert standing(seen, event(-1)) is Standing.STALE


def test_a_number_and_its_text_are_one() -> None:
    assert standing(seen_after("007"), event(7)) is Standing.DUPLICATE
    assert standing(seen_after(7), event("7")) is Standing.DUPLICATE


def test_what_has_no_order_neither_is_stale_nor_makes_others_so() -> None:
    assert standing(seen_after(9), event("a")) is Standing.NEW
    assert standing(seen_after("z"), event(0)) is Standing.NEW
    assert highest(seen_after("z")) is None


@pytest.mark.parametrize("start", [0, 10**127])
def test_a_long_run_without_gaps_is_one_pair(start: int) -> None:
    assert seen_after(*range(start, start + 500)).ranges == ((start, start + 499),)


class TestBounds:
    @given(st.lists(st.integers(0, 2000), min_size=MAX_RANGES, max_size=400))
    def test_numbers_that_never_touch(self, sequence_ids: list[int]) -> None:
        assert len(seen_after(*sequence_ids).ranges) <= MAX_RANGES

    def test_the_lowest_numbers_are_forgotten_and_then_stale(self) -> None:
        seen = seen_after(*range(0, 2 * MAX_RANGES + 2, 2))
        assert len(seen.ranges) == MAX_RANGES
        assert standing(seen, event(0)) is Standing.STALE
        assert standing(seen, event(2)) is Standing.DUPLICATE
        assert highest(seen) == 2 * MAX_RANGES

    def test_a_number_below_a_full_memory_pushes_nothing_out(self) -> None:
        seen = seen_after(*range(0, 2 * MAX_RANGES, 2))
        assert remember(seen, event(-5)) == seen

    def test_a_number_that_joins_two_ranges_makes_room(self) -> None:
        seen = seen_after(*range(0, 2 * MAX_RANGES, 2), 1, 2 * MAX_RANGES)
        assert len(seen.ranges) == MAX_RANGES
        assert standing(seen, event(0)) is Standing.DUPLICATE

    def test_of_ids_without_order_the_oldest_is_forgotten(self) -> None:
        seen = seen_after(*(f"id-{number}" for number in range(MAX_OPAQUE + 1)))
        assert len(seen.opaque) == MAX_OPAQUE
        assert standing(seen, event("id-0")) is Standing.NEW
        assert standing(seen, event("id-1")) is Standing.DUPLICATE
        assert standing(seen, event(f"id-{MAX_OPAQUE}")) is Standing.DUPLICATE

    def test_one_that_comes_again_pushes_nothing_out(self) -> None:
        seen = seen_after(*(f"id-{number}" for number in range(MAX_OPAQUE)))
        assert remember(seen, event("id-5")) == seen

    def test_the_two_memories_are_apart(self) -> None:
        seen = seen_after(5, *(f"id-{number}" for number in range(MAX_OPAQUE)))
        full = remember(seen, event(7))
        assert len(full.opaque) == MAX_OPAQUE
        assert full.ranges == ((5, 5), (7, 7))
