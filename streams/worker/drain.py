"""When this worker will be done with all that waits for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from faust.types import TP

from streams.clock import Clock, rfc3339
from streams.core.drain import Due, drained_after, within_a_day
from streams.genesys.gate import Gate
from streams.wire.stuck import Drain
from streams.worker.dispatcher import Dispatcher
from streams.worker.lanes.spill import is_planned
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments

# It is made anew after this many times what it took. Each record that waits in memory is looked at:
# Prometheus, who asks every few seconds, has a hundredth of the
# worker's time for it at most.
RARELY = 100


class DrainOf:
    """``behind``: offsets of a partition that are not taken up. ``never``: why nothing is asked any
    more until somebody mends it, or None."""

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        assignments: Assignments,
        gate: Gate,
        retries: str,
        behind: Callable[[TP], int],
        never: Callable[[], str | None],
        clock: Clock,
    ) -> None:
        self._dispatcher = dispatcher
        self._assignments = assignments
        self._gate = gate
        self._retries = retries
        self._behind = behind
        self._never = never
        self._clock = clock
        self._recent: Drain | None = None
        self._again_at = 0.0

    def recent(self) -> Drain:
        """As ``now``, or what it was a while ago (RARELY)."""
        began = self._clock.monotonic()
        if self._recent is None or began >= self._again_at:
            self._recent = self.now()
            ended = self._clock.monotonic()
            self._again_at = ended + RARELY * (ended - began)
        return self._recent

    def now(self) -> Drain:
        assignment = self._assignments.in_force
        dues = [] if assignment is None else list(self._dues(assignment))
        hold = self._gate.hold()
        held = 0.0 if hold is None or hold.seconds is None else hold.seconds
        per_minute = self._gate.budget.pace
        seconds = drained_after((due for _, due in dues), per_minute=per_minute, held=held)
        never = self._never()
        if never is not None and dues:
            seconds = math.inf
        now, oldest = self._clock.time(), self._oldest(assignment)
        age = None if oldest is None else now - oldest
        return Drain(
            at=rfc3339(now + seconds) if math.isfinite(seconds) else None,
            seconds=seconds if math.isfinite(seconds) else None,
            waiting=sum(number for number, _ in dues),
            requests=round(sum(due.requests for _, due in dues), 1),
            per_minute=round(per_minute, 1),
            held_by=None if hold is None else hold.cause,
            never=never if math.isinf(seconds) else None,
            oldest=None if oldest is None else rfc3339(oldest),
            oldest_seconds=age,
            within_a_day=within_a_day(age, seconds),
        )

    def _dues(self, assignment: Assignment) -> Iterator[tuple[int, Due]]:
        """How many records, and what they take."""
        costs, now = self._dispatcher.consumption, self._clock.time()
        lanes = self._dispatcher.lanes.backlog
        if lanes:
            yield lanes, Due(lanes * costs.per_laned)
        for record in self._dispatcher.waiting.records():
            yield 1, Due(costs.per_asked, max(0.0, record.not_before - now))
        for minute in self._dispatcher.waiting.spill.minutes():
            after = max(0.0, minute.due - now)
            yield minute.records, Due(minute.records * costs.per_asked, after)
        for tp in assignment.frontiers:
            if (behind := self._behind(tp)) > 0:
                each = costs.per_asked if tp.topic == self._retries else costs.per_event
                yield behind, Due(behind * each)

    def _oldest(self, assignment: Assignment | None) -> float | None:
        """The event's time of the oldest that waits, without looks whose time has not come."""
        if assignment is None:
            return None
        return min(self._overdue(), default=None)

    def _overdue(self) -> Iterator[float]:
        now, waiting = self._clock.time(), self._dispatcher.waiting
        for record in waiting.records():
            if record.not_before <= now or not is_planned(record):
                yield record.occurred_at
        for minute in waiting.spill.minutes():
            oldest = minute.oldest if minute.due <= now else minute.oldest_unplanned
            if math.isfinite(oldest):
                yield oldest
        yield from (record.occurred_at for record, _ in self._dispatcher.lanes.entries())
