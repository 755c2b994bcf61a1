"""Promise 2: the committable offset never passes a record that is not finished."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.worker.partitions.frontier import Arrival, Frontier


def test_new_frontier_stands_at_the_committed_offset() -> None:
    frontier = Frontier(42)

    assert (frontier.expected, frontier.committable, frontier.committed) == (42, 42, 42)
    assert (frontier.unfinished, frontier.lag()) == (0, 0)


def test_first_record_above_the_committed_offset_is_a_hole() -> None:
    frontier = Frontier(42)

    assert frontier.take_up(43) is Arrival.HOLE
    assert (frontier.expected, frontier.unfinished) == (42, 0)


def test_first_record_in_flight_holds_the_rest_back() -> None:
    """Faust commits 10 here (its issue 606)."""
    frontier = Frontier(0)
    for offset in range(10):
        assert frontier.take_up(offset) is Arrival.NEXT
    for offset in range(1, 10):
        frontier.finish(offset)

    assert frontier.committable == 0

    frontier.finish(0)

    assert frontier.committable == 10


def test_what_lies_below_one_that_is_begun_is_owed() -> None:
    frontier = Frontier(5)
    for offset in (5, 6, 7):
        frontier.take_up(offset)
    assert not frontier.owes(5)

    frontier.begin(6)

    assert [frontier.owes(offset) for offset in (5, 6, 7)] == [True, False, False]
    frontier.begin(5)
    assert frontier.owes(5)


def test_skipping_keeps_unfinished_records_behind() -> None:
    frontier = Frontier(5)
    frontier.take_up(5)
    frontier.skip_to(9)

    assert frontier.committable == 5
    assert frontier.take_up(9) is Arrival.NEXT
    frontier.finish(9)
    assert frontier.committable == 5
    frontier.finish(5)
    assert frontier.committable == 10


def test_skipping_back_is_refused() -> None:
    frontier = Frontier(5)

    with pytest.raises(ValueError, match="cannot skip back from 5 to 4"):
        frontier.skip_to(4)
    assert frontier.expected == 5


@pytest.mark.parametrize("offset", [4, 6, 7])
def test_only_what_was_taken_up_can_be_finished(offset: int) -> None:
    frontier = Frontier(5)
    frontier.take_up(5)

    with pytest.raises(KeyError):
        frontier.finish(offset)


def test_finishing_twice_is_refused() -> None:
    frontier = Frontier(5)
    frontier.take_up(5)
    frontier.finish(5)

    with pytest.raises(KeyError):
        frontier.finish(5)


def test_lag_is_what_the_commit_has_not_passed() -> None:
    frontier = Frontier(5)
    frontier.take_up(5)
    frontier.take_up(6)
    frontier.finish(5)

    assert frontier.lag() == 2
    frontier.committed = frontier.committable
    assert frontier.lag() == 1
    assert frontier.lag(end=frontier.expected + 7) == 8
    assert frontier.lag(end=frontier.expected - 1) == 1


class Naive(RuleBasedStateMachine):
    """The frontier against a list of every offset and what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.frontier = Frontier(100)
        self.next = 100
        self.open: list[int] = []

    @rule(distance=st.integers(-5, 5))
    def offer(self, distance: int) -> None:
        offset = self.next + distance
        arrival = self.frontier.take_up(offset)
        if distance < 0:
            assert arrival is Arrival.REPEATED
        elif distance > 0:
            assert arrival is Arrival.HOLE
        else:
            assert arrival is Arrival.NEXT
            self.open.append(offset)
            self.next += 1

    @rule()
    def take_up(self) -> None:
        self.offer(0)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(self.open))
        self.open.remove(offset)
        self.frontier.finish(offset)

    @rule(distance=st.integers(0, 5))
    def skip(self, distance: int) -> None:
        self.next += distance
        self.frontier.skip_to(self.next)

    @rule()
    def commit(self) -> None:
        self.frontier.committed = self.frontier.committable

    @invariant()
    def agrees(self) -> None:
        assert self.frontier.expected == self.next
        assert self.frontier.unfinished == len(self.open)
        assert self.frontier.committable == min([*self.open, self.next])
        assert self.frontier.committed <= self.frontier.committable
        assert self.frontier.lag() == self.next - self.frontier.committed


TestAgainstANaiveModel = Naive.TestCase
