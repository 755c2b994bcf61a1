"""The one gate of the worker: every request passes it, in its turn, or waits (promises 9 and 10).

Three things hold a request back: a 429 that closed the gate for all, the breaker, the budget.
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
from streams.errors import ApiError, ApiTimeout, CircuitOpen, ConnectionLost, RateLimited
from streams.genesys.api import ApiObserver
from streams.genesys.breaker import Breaker, Result, State
from streams.genesys.budget import Budget, Quota

log = logging.getLogger(__name__)

# Requests on their way at once after a 429: one, and one more for each that succeeds, up to here.
# Then the gate is as open as before. All that wait would meet the limit again as one stampede.
OPENING_LIMIT = 32

# Those who wait are looked at again this often; what changes meanwhile need wake nobody.
RELOOK_SECONDS = 0.25


class Turn(IntEnum):
    """Who goes first; within one, first come, first served, so no lane is passed over."""

    TOKEN = 0
    """Without it nothing else can go. Not counted by the API's budget."""
    PATCH = 1
    """Before any new GET: a GET whose PATCH does not come is budget wasted."""
    GET = 2


class Permit:
    """Leave for one request, to be sent at once; over when its block is."""

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
        """An answer came, whatever it says; ``quota`` is what it told of the budget."""
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
    """A request in the queue. ``leave``: its permit, or the reason why it gets none."""

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
        """No requests for that long from now. Never shortens a longer quiet already asked for."""
        self._opening = 1
        opens_at = self.now + seconds
        if opens_at > self._opens_at:
            self._opens_at = opens_at
            log.warning(
                "rate limit: no requests to Genesys Cloud for now", extra={"seconds": seconds}
            )

    def closed_until(self) -> float | None:
        """Monotonic time at which it opens; None while it is open."""
        return self._opens_at if self._opens_at > self.now else None

    def obstacle(self) -> str | None:
        """What holds back those who wait, in words; None when nothing does, or nobody waits."""
        if not self.waiting:
            return None
        if self.closed_until() is not None:
            return "Genesys Cloud has asked for quiet (429)"
        if (state := self.breaker.state(self.now)) is not State.CLOSED:
            return f"the circuit breaker is {state.value}: Genesys Cloud fails"
        if self.budget.next_at(self.now) > self.now:
            return "the API's budget sets the pace"
        return None

    async def enter(self, turn: Turn, subject: str) -> Permit:
        """Wait for leave to send one request. ``subject``: the interaction it is for.

        Raises RateLimited when the API asked for more quiet than ``LONGEST_QUIET``, CircuitOpen
        when the breaker has kept it waiting for as long: the record is better put off than held.
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
                # Given leave in the same moment: nobody will send it.
                with leave.result():
                    pass
            raise
        finally:
            if (waited := self.now - waiter.since) > 0:
                self._observer.throttled(waited)

    def ended(self, permit: Permit) -> None:
        """A permit's request is over; for Permit alone."""
        now = self.now
        self._in_flight -= 1
        if permit.number is not None:
            self.budget.answered(permit.number, permit.quota, permit.sent_at, now)
        # What was on its way when the gate closed says nothing of how it is now.
        succeeded = permit.result in (Result.GOOD, Result.SLOW)
        if self._opening is not None and succeeded and permit.sent_at >= self._opens_at:
            self._opening = self._opening + 1 if self._opening < OPENING_LIMIT else None
        self.breaker.end(permit.epoch, permit.subject, permit.result, now)
        self._tell_state(now, permit.failure)
        self._let_pass()

    async def close_for_good(self) -> None:
        """Stop looking; who still waits is cancelled."""
        for _, _, waiter in self._queue:
            waiter.leave.cancel()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look_again(self) -> None:
        while (wait := self._let_pass()) is not None:
            await self._clock.sleep(min(wait, RELOOK_SECONDS))

    def _let_pass(self) -> float | None:
        """Give leave to all that may go now. Seconds until it is worth another look; None when
        nobody waits."""
        while self._queue:
            turn, _, waiter = self._queue[0]
            if waiter.leave.done():
                heapq.heappop(self._queue)
                continue
            now = self.now
            self._tell_state(now)
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
        """Seconds for which nothing may go as far as is known; 0 when the first may."""
        if self._opens_at > now:
            return self._opens_at - now
        if not self.breaker.admits(now):
            return RELOOK_SECONDS
        if self._opening is not None and self._in_flight >= self._opening:
            return RELOOK_SECONDS
        return 0.0 if turn is Turn.TOKEN else max(0.0, self.budget.next_at(now) - now)

    def _refuse_impatient(self, now: float) -> None:
        """Those whom the breaker has kept waiting too long wait no more. What they have waited for
        the budget before does not count."""
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
        """The first in the queue is refused."""
        heapq.heappop(self._queue)[2].leave.set_exception(error)

    def _tell_state(self, now: float, failure: str = "") -> None:
        """``failure``: what the call came to that has just ended."""
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
