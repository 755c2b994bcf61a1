"""One order of what happened, although clocks differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.operator.explain.order import Happens, in_order

TIMES = st.integers(-5, 5)


@st.composite
def led_to(draw: st.DrawFn) -> list[Happens[int]]:
    """Each after some of those before it in the list."""
    return [
        Happens(
            number,
            draw(TIMES),
            draw(st.frozensets(st.integers(0, number - 1))) if number else frozenset(),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


@given(led_to())
def test_nothing_comes_before_what_has_led_to_it(happens: list[Happens[int]]) -> None:
    order = in_order(happens)

    assert sorted(order) == list(range(len(happens)))
    for each in happens:
        for cause in each.after:
            assert order.index(cause) < order.index(each.what)


@given(st.lists(TIMES))
def test_without_causes_the_times_say_it(times: list[int]) -> None:
    order = in_order([Happens(number, at) for number, at in enumerate(times)])

    assert [times[number] for number in order] == sorted(times)
