"""The one gate of the worker: every request waits there for its turn (promises 9 and 10).

Three things hold a request back: a 429 that paused the gate for all, the breaker, and the budget.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
from enum import IntEnum
from types import TracebackType

from streams.clock import Clock
from streams.core.retry_policy import LONGEST_QUIET
from streams.core.stuck import Cause, Hold
from streams.errors import ApiError, ApiTimeout, CircuitOpen, ConnectionLost, RateLimited
from streams.genesys.api import ApiObserver
from streams.genesys.breaker import Breaker, Result, State
from streams.genesys.budget import Budget, Quota

log = logging.getLogger(__name__)

# After a 429 only one request may be on its way at a time, and one more for each that succeeds, up
# to this number. Then the gate is as open as before. Otherwise all waiting requests would leave at
# once and meet the limit again.
OPENING_LIMIT = 32

# How often the gate looks again at the waiting requests, so that no change has to wake them.
RELOOK_SECONDS = 0.25


class Turn(IntEnum):
    """Which requests go first. Within one turn it is first come, first served, so that no lane is
    passed over."""

    TOKEN = 0
    """No other request can go without a token. The API's budget does not count this request."""
    PATCH = 1
    """Before any new GET: a GET whose PATCH does not follow has wasted budget."""
    GET = 2


class Permit:
    """Permission for one request, which must be sent at once. It ends with its ``with`` block."""

    def __init__(self, gate: Gate, turn: Turn, subject: str) -> None:
        self._gate = gate
        self.subject = subject
        self.sent_at = gate.now
        self.number = gate.budget.send(self.sent_at) if turn is not Turn.TOKEN else None
        self.epoch = gate.breaker.begin(self.sent_at)
        self.result = Result.SILENT
        self.failure = ""
        self.quota: Quota | None = None

    def answered(self, status: int, quota: Quota | None) -> None:
        """An answer of any status came. ``quota``: the budget in its headers, if there was one."""
        self.quota = quota
        if status >= 500:
            self.result, self.failure = Result.FAILED, str(status)
        elif status not in (401, 429):
            slow = self._gate.now - self.sent_at > self._gate.breaker.policy.slow_seconds
            self.result = Result.SLOW if slow else Result.GOOD

    def __enter__(self) -> Permit:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ApiTimeout | ConnectionLost):
            self.result, self.failure = Result.FAILED, str(error)
        self._gate.ended(self)


class _Waiter:
    """A request in the queue. ``leave``: gets its permit, or the error why it gets none."""

    def __init__(self, turn: Turn, subject: str, since: float) -> None:
        self.turn = turn
        self.subject = subject
        self.since = since
        self.leave: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()


class Gate:
    """Shared by every lane and the token source. Open when new."""

    def __init__(
        self, clock: Clock, observer: ApiObserver, *, budget: Budget, breaker: Breaker
    ) -> None:
        self.budget = budget
        self.breaker = breaker
        self._clock = clock
        self._observer = observer
        self._opens_at = -math.inf
        self._opening: int | None = None
        self._in_flight = 0
        self._queue: list[tuple[Turn, int, _Waiter]] = []
        self._order = itertools.count()
        self._looking: asyncio.Task[None] | None = None
        self._state = State.CLOSED

    @property
    def now(self) -> float:
        return self._clock.monotonic()

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return sum(not waiter.leave.done() for _, _, waiter in self._queue)

    def pause(self, seconds: float) -> None:
        """Send no requests for this long from now. Never shortens a longer pause."""
        self._opening = 1
        opens_at = self.now + seconds
        if opens_at > self._opens_at:
            self._opens_at = opens_at
            log.warning(
                "rate limit: no requests to Genesys Cloud for now", extra={"seconds": seconds}
            )

    def paused_until(self) -> float | None:
        """Monotonic time at which the gate opens again; None while it is open."""
        return self._opens_at if self._opens_at > self.now else None

    def long_quiet(self) -> float | None:
        """Seconds for which nothing will be sent, if that is longer than any record waits; else
        None. Genesys Cloud asks for it when an hourly or daily limit is used up."""
        left = self._opens_at - self.now
        return left if left > LONGEST_QUIET else None

    def obstacle(self) -> str | None:
        """What holds the waiting requests back, in words; None if nothing does, or if none wait."""
        if not self.waiting:
            return None
        hold = self.hold()
        if hold is None:
            return None
        match hold.cause:
            case Cause.GATE:
                return "Genesys Cloud has asked for quiet (429)"
            case Cause.BREAKER:
                state = self.breaker.state(self.now)
                return f"the circuit breaker is {state.value}: Genesys Cloud fails"
        return "the API's budget sets the pace"

    def hold(self) -> Hold | None:
        """What holds requests back now, the strongest first; None if nothing does."""
        now = self.now
        if self._opens_at > now:
            return Hold(Cause.GATE, self._opens_at - now)
        state = self.breaker.state(now)
        if state is not State.CLOSED:
            opens = self.breaker.open_until - now
            return Hold(Cause.BREAKER, opens if state is State.OPEN else None)
        next_in = self.budget.next_at(now) - now
        if next_in > 0:
            # Infinite while an answer has to say where the window stands.
            return Hold(Cause.BUDGET, next_in if math.isfinite(next_in) else None)
        return None

    async def enter(self, turn: Turn, subject: str) -> Permit:
        """Wait for permission to send one request. ``subject``: the interaction it is for.

        Raises RateLimited when the gate is paused for longer than ``LONGEST_QUIET``, and
        CircuitOpen when the breaker has kept the request waiting for that long: it is better to put
        the record off than to hold it.
        """
        waiter = _Waiter(turn, subject, self.now)
        heapq.heappush(self._queue, (turn, next(self._order), waiter))
        self._let_pass()
        if not waiter.leave.done() and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_again(), name="genesys-gate")
        try:
            return await waiter.leave
        except asyncio.CancelledError:
            leave = waiter.leave
            if leave.done() and not leave.cancelled() and leave.exception() is None:
                # The permit came in the same moment, and will not be used: end it.
                with leave.result():
                    pass
            raise
        finally:
            if (waited := self.now - waiter.since) > 0:
                self._observer.throttled(waited)

    def ended(self, permit: Permit) -> None:
        """A permit's request is over. Only Permit calls this."""
        now = self.now
        self._in_flight -= 1
        if permit.number is not None:
            self.budget.answered(permit.number, permit.quota, permit.sent_at, now)
        # A request that was sent before the pause ended does not show that the limit is over.
        succeeded = permit.result in (Result.GOOD, Result.SLOW)
        if self._opening is not None and succeeded and permit.sent_at >= self._opens_at:
            self._opening = self._opening + 1 if self._opening < OPENING_LIMIT else None
        self.breaker.end(permit.epoch, permit.subject, permit.result, now)
        self._log_state(now, permit.failure)
        self._let_pass()

    async def close(self) -> None:
        """Stop looking at the queue, and cancel all requests that still wait."""
        for _, _, waiter in self._queue:
            waiter.leave.cancel()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look_again(self) -> None:
        while (wait := self._let_pass()) is not None:
            await self._clock.sleep(min(wait, RELOOK_SECONDS))

    def _let_pass(self) -> float | None:
        """Give permits to all requests that may go now. Returns the seconds until another look is
        worthwhile; None when no request waits."""
        while self._queue:
            turn, _, waiter = self._queue[0]
            if waiter.leave.done():
                heapq.heappop(self._queue)
                continue
            now = self.now
            self._log_state(now)
            if self._opens_at - now > LONGEST_QUIET:
                self._refuse(_too_long(self._opens_at - now))
                continue
            wait = self._held_back(turn, now)
            if wait > 0:
                self._refuse_impatient(now)
                return wait if self._queue else None
            heapq.heappop(self._queue)
            self._in_flight += 1
            waiter.leave.set_result(Permit(self, turn, waiter.subject))
        return None

    def _held_back(self, turn: Turn, now: float) -> float:
        """Seconds for which, as far as is known, no request may go; 0 when the first one may."""
        if self._opens_at > now:
            return self._opens_at - now
        if not self.breaker.admits(now):
            return RELOOK_SECONDS
        if self._opening is not None and self._in_flight >= self._opening:
            return RELOOK_SECONDS
        return 0.0 if turn is Turn.TOKEN else max(0.0, self.budget.next_at(now) - now)

    def _refuse_impatient(self, now: float) -> None:
        """Refuse the requests that the breaker has kept waiting for too long. The time that they
        waited for the budget before does not count."""
        failing_since = self.breaker.failing_since
        if failing_since is None or self.breaker.admits(now):
            return
        for _, _, waiter in self._queue:
            waited = now - max(waiter.since, failing_since)
            if waited > LONGEST_QUIET and not waiter.leave.done():
                waiter.leave.set_exception(_still_open())
        self._queue = [entry for entry in self._queue if not entry[2].leave.done()]
        heapq.heapify(self._queue)

    def _refuse(self, error: ApiError) -> None:
        """Refuse the first request in the queue."""
        heapq.heappop(self._queue)[2].leave.set_exception(error)

    def _log_state(self, now: float, failure: str = "") -> None:
        """Log a change of the breaker's state. ``failure``: how the call that just ended failed."""
        state = self.breaker.state(now)
        if state is self._state:
            return
        self._state = state
        if state is State.OPEN:
            log.warning(
                "the circuit breaker is open: no calls to Genesys Cloud for now",
                extra={"why": self.breaker.why, "failure": failure},
            )
        else:
            log.info("the circuit breaker is %s", state.value)


def _too_long(seconds: float) -> RateLimited:
    return RateLimited(
        f"not sent: Genesys Cloud asked for no calls for another {seconds:.0f} s; "
        "an hourly or daily limit is used up",
        retry_after=seconds,
        status=None,
    )


def _still_open() -> CircuitOpen:
    return CircuitOpen(
        f"not sent: Genesys Cloud has failed for more than {LONGEST_QUIET:.0f} s and the circuit "
        "breaker lets only probes through; the lines about its state say since when"
    )
