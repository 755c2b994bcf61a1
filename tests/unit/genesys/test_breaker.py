"""The circuit breaker's transitions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.genesys.breaker import Breaker, BreakerPolicy, Result, State

POLICY = BreakerPolicy(
    open_seconds=30, in_a_row=3, window_seconds=30, minimum_calls=20, share=0.5, probes=3
)


def call(breaker: Breaker, result: Result, now: float, subject: str = "i-1") -> None:
    assert breaker.admits(now)
    breaker.end(breaker.begin(now), subject, result, now)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(3):
        call(breaker, Result.FAILED, now)
    assert breaker.state(now) is State.OPEN
    return breaker


def test_three_failures_in_a_row_for_one_interaction_open_it() -> None:
    breaker = Breaker(POLICY)
    for _ in range(2):
        call(breaker, Result.FAILED, 0)
    assert breaker.state(0) is State.CLOSED

    call(breaker, Result.FAILED, 0)

    assert breaker.state(0) is State.OPEN
    assert breaker.opened == 1


def test_failures_of_different_interactions_are_no_row() -> None:
    breaker = Breaker(POLICY)
    for n in range(10):
        call(breaker, Result.FAILED, 0, f"i-{n}")

    assert breaker.state(0) is State.CLOSED


def test_an_interaction_that_fails_while_others_succeed_is_no_outage() -> None:
    breaker = Breaker(POLICY)
    for n in range(100):
        call(breaker, Result.FAILED, n, "bad")
        call(breaker, Result.GOOD, n, "good")
        call(breaker, Result.GOOD, n, "good")

    assert breaker.state(100) is State.CLOSED


def test_the_share_counts_from_the_minimum_of_calls_on() -> None:
    breaker = Breaker(POLICY)
    for n in range(19):
        call(breaker, Result.FAILED if n % 2 else Result.GOOD, 0, f"i-{n}")
    assert breaker.state(0) is State.CLOSED

    call(breaker, Result.FAILED, 0, "i-19")

    assert breaker.state(0) is State.OPEN


def test_calls_outside_the_window_count_no_more() -> None:
    breaker = Breaker(POLICY)
    for n in range(15):
        call(breaker, Result.FAILED, 0, f"i-{n}")
    for n in range(18):
        call(breaker, Result.GOOD, 31, f"i-{n}")
    for n in range(4):
        call(breaker, Result.FAILED, 31, f"i-{n}")

    assert breaker.state(31) is State.CLOSED


def test_slow_calls_count_as_failed_in_the_share_alone() -> None:
    breaker = Breaker(POLICY)
    for _ in range(19):
        call(breaker, Result.SLOW, 0)
    assert breaker.state(0) is State.CLOSED

    call(breaker, Result.SLOW, 0)

    assert breaker.state(0) is State.OPEN


def test_open_means_no_call_for_its_time() -> None:
    breaker = opened(now=100)

    assert not breaker.admits(129.9)
    assert breaker.state(129.9) is State.OPEN
    assert breaker.state(130) is State.HALF_OPEN


def test_half_open_lets_a_fixed_few_through() -> None:
    breaker = opened()
    for _ in range(POLICY.probes):
        assert breaker.admits(30)
        breaker.begin(30)

    assert not breaker.admits(30)
    assert not breaker.admits(1000)


def test_it_closes_when_every_probe_succeeded() -> None:
    breaker = opened()
    epochs = [breaker.begin(30) for _ in range(POLICY.probes)]
    for epoch in epochs[:-1]:
        breaker.end(epoch, "i-1", Result.GOOD, 31)
        assert breaker.state(31) is State.HALF_OPEN

    breaker.end(epochs[-1], "i-1", Result.GOOD, 31)

    assert breaker.state(31) is State.CLOSED


def test_one_probe_that_fails_opens_it_for_as_long_again() -> None:
    breaker = opened()
    first, second = breaker.begin(30), breaker.begin(30)
    breaker.end(first, "i-1", Result.FAILED, 35)

    breaker.end(second, "i-2", Result.GOOD, 36)

    assert not breaker.admits(64.9)
    assert breaker.admits(65)


def test_a_probe_that_was_never_sent_gives_its_place_back() -> None:
    breaker = opened()
    epochs = [breaker.begin(30) for _ in range(POLICY.probes)]

    breaker.end(epochs[0], "i-1", Result.SILENT, 30)

    assert breaker.admits(30)


def test_what_a_call_of_an_earlier_state_says_is_out_of_date() -> None:
    breaker = Breaker(POLICY)
    late = breaker.begin(0)
    for _ in range(3):
        call(breaker, Result.FAILED, 0)
    probes = [breaker.begin(30) for _ in range(POLICY.probes)]

    breaker.end(late, "i-9", Result.FAILED, 31)
    for epoch in probes:
        breaker.end(epoch, "i-1", Result.GOOD, 31)

    assert breaker.state(31) is State.CLOSED


@given(st.lists(st.tuples(st.integers(0, 500), st.booleans())), st.integers(0, 40))
def test_memory_is_bounded_by_the_window(calls: list[tuple[int, bool]], step: int) -> None:
    breaker, now = Breaker(POLICY), 0.0
    for subject, bad in calls:
        now += step / 10
        if breaker.admits(now):
            call(breaker, Result.FAILED if bad else Result.GOOD, now, f"i-{subject}")

    assert len(breaker._seconds) <= POLICY.window_seconds + 1
    assert len(breaker._streaks) <= POLICY.minimum_calls


class Transitions(RuleBasedStateMachine):
    """Whatever calls come and however they end, against what promise 10 says."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(POLICY)
        self.now = 0.0
        self.calls: list[tuple[int, State]] = []
        self.state = State.CLOSED
        self.opened_at = 0.0
        self.good_probes = 0

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.admits(self.now))
    @rule()
    def begins(self) -> None:
        state = self.breaker.state(self.now)
        assert state is not State.OPEN
        self.calls.append((self.breaker.begin(self.now), state))

    @precondition(lambda self: self.calls)
    @rule(
        data=st.data(),
        result=st.sampled_from(Result),
        subject=st.sampled_from(["i-1", "i-2"]),
    )
    def ends(self, data: st.DataObject, result: Result, subject: str) -> None:
        epoch, _ = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        before = self.breaker.state(self.now)
        self.breaker.end(epoch, subject, result, self.now)
        after = self.breaker.state(self.now)
        if after is State.OPEN and before is not State.OPEN:
            assert result in (Result.FAILED, Result.SLOW)
            self.opened_at = self.now
        if before is State.HALF_OPEN and after is State.CLOSED:
            assert result is Result.GOOD

    @invariant()
    def open_lasts_its_time_and_no_longer(self) -> None:
        state = self.breaker.state(self.now)
        allowed = {
            State.CLOSED: {State.CLOSED, State.OPEN, State.HALF_OPEN},
            State.OPEN: {State.OPEN, State.HALF_OPEN},
            # Between two looks it may have opened and come back.
            State.HALF_OPEN: set(State),
        }
        assert state in allowed[self.state]
        if state is State.OPEN:
            assert not self.breaker.admits(self.now)
            assert self.now < self.opened_at + POLICY.open_seconds
        if state is State.CLOSED:
            assert self.breaker.admits(self.now)
        self.state = state

    @invariant()
    def never_more_probes_than_allowed(self) -> None:
        if self.breaker.state(self.now) is State.HALF_OPEN:
            probing = sum(epoch == self.breaker._epoch for epoch, _ in self.calls)
            assert probing <= POLICY.probes
            if probing < POLICY.probes:
                assert self.breaker.admits(self.now) or self.breaker._passed


TestTransitions = Transitions.TestCase
