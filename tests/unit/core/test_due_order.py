"""The order of what is due, beside a sorted list."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.due_order import DueOrder, Minute, Place

LARGEST_PARTITION, LARGEST_OFFSET = 2**31 - 1, 2**63 - 1

places = st.builds(
    Place,
    st.integers(0, 2**63 - 1) | st.integers(0, 200_000),
    st.integers(0, LARGEST_PARTITION) | st.integers(0, 2),
    st.integers(0, LARGEST_OFFSET) | st.integers(0, 3),
)


@given(st.lists(places | st.none()))
def test_it_is_a_sorted_list(steps: list[Place | None]) -> None:
    """Each step adds a place, or takes out the first."""
    order, model = DueOrder(), list[Place]()
    for step in steps:
        if step is not None:
            order.add(step, occurred_at=0.0, planned=False)
            model = sorted([*model, step])
        elif model:
            assert order.pop() == model.pop(0)
        assert order.first() == (model[0] if model else None)
        assert (len(order), sorted(order.places())) == (len(model), model)
        assert order.next(3) == model[:3]
        assert sum(minute.records for minute in order.minutes()) == len(model)
        assert {minute.due for minute in order.minutes()} == {
            place.due_ms // 60_000 * 60.0 for place in model
        }


def test_a_minute_knows_its_oldest_until_it_is_over() -> None:
    order = DueOrder()
    order.add(Place(60_000, 0, 0), occurred_at=20.0, planned=True)
    order.add(Place(119_999, 0, 1), occurred_at=30.0, planned=False)
    order.add(Place(120_000, 0, 2), occurred_at=10.0, planned=True)
    assert list(order.minutes()) == [Minute(60.0, 2, 20.0, 30.0), Minute(120.0, 1, 10.0, inf)]

    order.pop()
    assert next(iter(order.minutes())) == Minute(60.0, 1, 20.0, 30.0)
    order.pop()
    assert list(order.minutes()) == [Minute(120.0, 1, 10.0, inf)]


def test_nothing_can_be_taken_out_of_none() -> None:
    order = DueOrder()
    assert order.first() is None
    with pytest.raises(IndexError):
        order.pop()


def test_cleared_it_is_empty() -> None:
    order = DueOrder()
    order.add(Place(1, 0, 0), occurred_at=0.0, planned=False)
    order.clear()
    assert (len(order), list(order.minutes())) == (0, [])
