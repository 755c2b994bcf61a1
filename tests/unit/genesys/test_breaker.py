"""The circuit breaker's transitions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.genesys.breaker import Breaker, BreakerPolicy, Result, State

POLICY = BreakerPolicy(
    open_seconds=30,
    in_a_row=3,
    window_seconds=30,
    longest_seconds=60,
    minimum_calls=20,
    share=0.5,
    probes=3,
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


def test_where_the_window_has_too_few_calls_those_before_it_count_as_well() -> None:
    """A small budget, or one that many share: an outage must not take a call of each interaction
    that waits before it is noticed."""
    breaker = Breaker(POLICY)
    for n in range(20):
        assert breaker.state(2.5 * n) is State.CLOSED
        call(breaker, Result.FAILED, 2.5 * n, f"i-{n}")

    assert breaker.state(2.5 * 19) is State.OPEN


def test_calls_of_long_ago_count_no_more_however_few_there_are() -> None:
    breaker = Breaker(POLICY)
    for n in range(40):
        call(breaker, Result.FAILED, 4.0 * n, f"i-{n}")

    assert breaker.state(160) is State.CLOSED


def test_since_when_it_fails_outlasts_probes_in_vain() -> None:
    breaker = opened(now=100)
    assert breaker.failing_since == 100
    call(breaker, Result.FAILED, 131)
    assert (breaker.opened, breaker.failing_since) == (2, 100.0)

    for _ in range(POLICY.probes):
        call(breaker, Result.GOOD, 170)

    assert breaker.state(170) is State.CLOSED
    assert breaker.failing_since is None


def test_an_api_that_answers_every_call_slowly_is_never_down() -> None:
    breaker = Breaker(POLICY)
    for n in range(200):
        call(breaker, Result.SLOW, 0.2 * n, f"i-{n % 50}")

    assert breaker.opened == 0


def test_slow_calls_count_as_failed_in_the_share_alone() -> None:
    """So one failure among many slow calls opens it: the API may be about to fail."""
    breaker = Breaker(POLICY)
    for _ in range(19):
        call(breaker, Result.SLOW, 0)
    assert breaker.state(0) is State.CLOSED

    call(breaker, Result.FAILED, 0)

    assert breaker.state(0) is State.OPEN
    assert breaker.why == "20 of the last 20 calls failed or were slow"


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


def test_it_closes_also_when_the_probes_were_answered_slowly() -> None:
    """Otherwise it would be open for as long as the API is slow, and every record be put off until
    it has used up its tries, although each call is answered."""
    breaker = opened()
    for result in (Result.SLOW, Result.GOOD, Result.SLOW):
        call(breaker, result, 36)

    assert breaker.state(36) is State.CLOSED
    assert breaker.failing_since is None


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

    assert len(list(breaker._ended.newest_first())) <= POLICY.longest_seconds + 1
    assert len(breaker._streaks) <= POLICY.minimum_calls


@dataclass
class Promise:
    """Promise 10 said again, the slow way: every call of the present state is remembered."""

    policy: BreakerPolicy
    era: int = 0
    open_until: float | None = None
    half_open: bool = False
    ended: list[tuple[float, str, Result]] = field(default_factory=list)
    probing: int = 0

    def state(self, now: float) -> State:
        if self.open_until is not None and now >= self.open_until:
            self._turn(half_open=True)
        if self.open_until is not None:
            return State.OPEN
        return State.HALF_OPEN if self.half_open else State.CLOSED

    def admits(self, now: float) -> bool:
        state = self.state(now)
        good = len(self.ended)
        return state is State.CLOSED or (
            state is State.HALF_OPEN and self.probing + good < self.policy.probes
        )

    def begin(self, now: float) -> int:
        self.probing += self.state(now) is State.HALF_OPEN
        return self.era

    def end(self, era: int, subject: str, result: Result, now: float) -> None:
        if era != self.era:
            return
        self.probing -= self.half_open
        if result is Result.SILENT:
            return
        self.ended.append((now, subject, result))
        if self.half_open and result is Result.FAILED:
            self._turn(open_until=now + self.policy.open_seconds)
        elif self.half_open and len(self.ended) == self.policy.probes:
            self._turn()
        elif not self.half_open and result is Result.FAILED and self._is_down(subject, now):
            self._turn(open_until=now + self.policy.open_seconds)

    def _is_down(self, subject: str, now: float) -> bool:
        row = list(takewhile(lambda each: each[2] is Result.FAILED, reversed(self.ended)))
        if sum(each[1] == subject for each in row) >= self.policy.in_a_row:
            return True
        # Counted by whole seconds, so what is left of the oldest one has gone with its beginning.
        window: list[Result] = []
        for second in sorted({int(at) for at, _, _ in self.ended}, reverse=True):
            age, enough = now - second, len(window) >= self.policy.minimum_calls
            if age >= self.policy.longest_seconds or (age >= self.policy.window_seconds and enough):
                break
            window += [result for at, _, result in self.ended if int(at) == second]
        bad = sum(result is not Result.GOOD for result in window)
        return len(window) >= self.policy.minimum_calls and bad >= self.policy.share * len(window)

    def _turn(self, *, open_until: float | None = None, half_open: bool = False) -> None:
        self.open_until, self.half_open = open_until, half_open
        self.era += 1
        self.probing = 0
        self.ended.clear()


class Transitions(RuleBasedStateMachine):
    """Whatever calls come and however they end: in the state that promise 10 says, at any time."""

    # Few calls prove something, so that both ways of opening are met often.
    policy = replace(POLICY, minimum_calls=6, window_seconds=10)

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(self.policy)
        self.promise = Promise(self.policy)
        self.now = 0.0
        self.calls: list[tuple[int, int]] = []
        self.opened = 0

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.promise.admits(self.now))
    @rule()
    def begins(self) -> None:
        self.calls.append((self.breaker.begin(self.now), self.promise.begin(self.now)))

    @precondition(lambda self: self.calls)
    @rule(
        data=st.data(),
        result=st.sampled_from(Result),
        subject=st.sampled_from(["i-1", "i-2", "i-3"]),
    )
    def ends(self, data: st.DataObject, result: Result, subject: str) -> None:
        epoch, era = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        before = self.promise.state(self.now)
        self.breaker.end(epoch, subject, result, self.now)
        self.promise.end(era, subject, result, self.now)
        after = self.promise.state(self.now)
        self.opened += after is State.OPEN and before is not State.OPEN

    @invariant()
    def it_is_as_promised(self) -> None:
        assert self.breaker.state(self.now) is self.promise.state(self.now)
        assert self.breaker.admits(self.now) == self.promise.admits(self.now)
        assert self.breaker.opened == self.opened


TestTransitions = Transitions.TestCase
