"""The circuit breaker (promise 10): while the API is down only a few probes call it.

Pure: no clock, no I/O. Times are monotonic seconds and handed in.

closed -> open        three failures in a row for one interaction with no call that succeeded in
                      between, or a failure when too large a share of the calls in a rolling window
                      failed or were slow
open -> half open     after ``open_seconds``
half open -> closed   when all probes succeeded, quickly or slowly
half open -> open     when one failed

A slow answer is an answer: it makes fewer failures enough, but it opens nothing and fails no probe.
Otherwise an API that answers every call slowly would count as down for as long as it is slow.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from streams.rolling_window import RollingWindow


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Result(StrEnum):
    """What the result of a call shows about the API's health."""

    GOOD = "good"
    FAILED = "failed"
    """5xx, no answer in time, no connection."""
    SLOW = "slow"
    """A good answer that took too long: the API may be about to fail."""
    SILENT = "silent"
    """Shows nothing: never sent, abandoned, or refused (401, 429)."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When the breaker opens and closes.

    ``in_a_row``: failures in a row for one interaction that open it. ``share``: the part of failed
    and slow calls within ``window_seconds`` at which a failure opens it. Fewer than
    ``minimum_calls`` prove nothing: if the window has fewer, earlier calls count too, back to
    ``longest_seconds``, because a small budget has not as many calls in the window. ``probes``:
    number of probes, which must all succeed. ``slow_seconds``: a call that takes longer counts as
    failed in the share.
    """

    open_seconds: float = 30.0
    in_a_row: int = 3
    window_seconds: float = 10.0
    longest_seconds: float = 60.0
    minimum_calls: int = 20
    share: float = 0.5
    probes: int = 3
    slow_seconds: float = 5.0


class Breaker:
    """Closed when new."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self.opened = 0
        """How often the breaker has opened."""
        self.why = ""
        """Why the breaker opened last."""
        self.failing_since: float | None = None
        """When the breaker opened first since it was last closed; None while it is closed."""
        self._state = State.CLOSED
        self._open_until = 0.0
        # Grows with every change of state. A call that began in an earlier state says nothing about
        # the API now, so its result is ignored.
        self._epoch = 0
        self._streaks: Counter[str] = Counter()
        self._ended = RollingWindow(policy.longest_seconds)
        self._probing = self._passed = 0

    @property
    def open_until(self) -> float:
        """When the open breaker lets probes through."""
        return self._open_until

    def state(self, now: float) -> State:
        if self._state is State.OPEN and now >= self._open_until:
            self._become(State.HALF_OPEN)
        return self._state

    def admits(self, now: float) -> bool:
        """Whether a call may begin."""
        match self.state(now):
            case State.CLOSED:
                return True
            case State.OPEN:
                return False
            case State.HALF_OPEN:
                return self._probing + self._passed < self.policy.probes

    def begin(self, now: float) -> int:
        """A call that was admitted begins. Returns the epoch to hand to ``end``."""
        if self.state(now) is State.HALF_OPEN:
            self._probing += 1
        return self._epoch

    def end(self, epoch: int, subject: str, result: Result, now: float) -> None:
        """A call is over. ``epoch``: from ``begin``. ``subject``: the call's interaction."""
        if epoch != self._epoch:
            return
        if self._state is State.HALF_OPEN:
            self._end_probe(result, now)
        elif self._state is State.CLOSED and result is not Result.SILENT:
            self._count(subject, result, now)

    def _end_probe(self, result: Result, now: float) -> None:
        self._probing -= 1
        if result is Result.FAILED:
            self._open(now, "a probe failed")
        elif result is not Result.SILENT:
            self._passed += 1
            if self._passed == self.policy.probes:
                self._become(State.CLOSED)

    def _count(self, subject: str, result: Result, now: float) -> None:
        if result is Result.FAILED:
            self._streaks[subject] += 1
        else:
            # A call has succeeded, so earlier failures are due to their interaction, not the API.
            self._streaks.clear()
        calls, bad = self._window(result is not Result.GOOD, now)
        if result is not Result.FAILED:
            return  # A success never opens the breaker, even as the last of the minimum.
        if self._streaks[subject] >= self.policy.in_a_row:
            self._open(now, f"{self._streaks[subject]} failures in a row for {subject}")
        elif calls >= self.policy.minimum_calls and bad >= self.policy.share * calls:
            self._open(now, f"{bad} of the last {calls} calls failed or were slow")

    def _window(self, bad: bool, now: float) -> tuple[int, int]:
        self._ended.count(now, bad=bad)
        calls = failed = 0
        for each in self._ended.newest_first():
            if each.at <= now - self.policy.window_seconds and calls >= self.policy.minimum_calls:
                break
            calls, failed = calls + each.number, failed + each.bad
        return calls, failed

    def _open(self, now: float, why: str) -> None:
        self.why = why
        self._open_until = now + self.policy.open_seconds
        self.opened += 1
        if self.failing_since is None:
            self.failing_since = now
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        self._state = state
        if state is State.CLOSED:
            self.failing_since = None
        self._epoch += 1
        self._probing = self._passed = 0
        self._streaks.clear()
        self._ended.clear()
