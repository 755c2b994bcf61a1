"""What is counted of late, by the second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.rolling_window import RollingWindow, Second

LENGTH = 10

# Seconds between one and the next, and whether it is bad.
HAPPENINGS = st.lists(st.tuples(st.floats(0, 5), st.booleans()), min_size=1, max_size=60)


@given(HAPPENINGS, st.floats(0, 1_000))
def test_it_counts_all_whose_second_is_in_the_window(
    happenings: list[tuple[float, bool]], now: float
) -> None:
    window = RollingWindow(LENGTH)
    counted: list[tuple[int, bool]] = []
    for pause, bad in happenings:
        now += pause
        window.count(now, bad=bad)
        counted.append((int(now), bad))
    kept = [bad for at, bad in counted if at > now - LENGTH]
    seconds = list(window.newest_first())
    assert sum(each.number for each in seconds) == len(kept)
    assert sum(each.bad for each in seconds) == sum(kept)
    assert [each.at for each in seconds] == sorted({each.at for each in seconds}, reverse=True)


def test_it_grows_with_its_length_and_not_with_what_is_counted() -> None:
    window = RollingWindow(LENGTH)
    for nth in range(10_000):
        window.count(nth / 100, bad=False)
    assert len(list(window.newest_first())) == LENGTH


def test_cleared_it_is_as_new() -> None:
    window = RollingWindow(LENGTH)
    window.count(1, bad=True)
    window.clear()
    window.count(1, bad=False)
    assert list(window.newest_first()) == [Second(1, number=1, bad=0)]
