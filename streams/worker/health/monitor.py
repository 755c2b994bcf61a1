"""Reads the worker's state from its parts, for the watchdog, the metrics and the server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from faust.tables.manager import TableManager
from faust.types import TP

from streams.clock import Clock, rfc3339
from streams.genesys.breaker import State
from streams.genesys.gate import Gate
from streams.kafka.authorization import refusal_to_read
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.dispatcher import Dispatcher
from streams.worker.health.causes import in_words
from streams.worker.health.kafka_faults import Fault
from streams.worker.health.watchdog import Vitals
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.consumer import SourceConsumer, StreamsApp
from streams.worker.state.table import InteractionTable

log = logging.getLogger(__name__)

# Short enough to be seen by whoever looks at the last minutes of a log, and 144 lines a day.
REMIND_SECONDS = 600.0


class Monitor:
    """Reads the state, and changes nothing but gauges. ``refused``: returns why Genesys Cloud
    refuses us a token, or None. ``faults``: returns what is wrong between us and Kafka at that time
    (``kafka_faults.py``)."""

    def __init__(
        self,
        app: StreamsApp,
        dispatcher: Dispatcher,
        table: InteractionTable[Any],
        *,
        assignments: Assignments,
        gate: Gate,
        refused: Callable[[], str | None],
        faults: Callable[[Assignment | None, float], Sequence[Fault]],
        clock: Clock,
        dead_letter_limit: DeadLetterLimit,
        metrics: WorkerMetrics,
    ) -> None:
        self._app = app
        self._dispatcher = dispatcher
        self._table = table
        self._assignments = assignments
        self._gate = gate
        self._refused = refused
        self._faults = faults
        self._clock = clock
        self._dead_letter_limit = dead_letter_limit
        self._metrics = metrics
        self.ending: str | None = None
        """Why the worker is about to end; None while it is not."""

    @property
    def breaker(self) -> State:
        """The circuit breaker as it is now."""
        return self._gate.breaker.state(self._gate.now)

    def _crashed(self) -> BaseException | None:
        """What Faust has crashed with; a refusal names the principal, which aiokafka does not."""
        failure = self._app.crash_reason
        return (
            None
            if failure is None
            else refusal_to_read(self._app.kafka_settings, failure) or failure
        )

    def vitals(self) -> Vitals:
        assignment = self._assignments.in_force
        frontiers = assignment.frontiers.values() if assignment is not None else ()
        consumer = self._consumer()
        return Vitals(
            fatal=consumer.fatal_error() if consumer is not None else None,
            broken=self._table.failure or (consumer.unreadable if consumer is not None else None),
            crashed=self._crashed(),
            assignment=assignment is not None,
            progress=self._assignments.begun + sum(f.progress for f in frontiers),
            restoring=self._restoring() if assignment is None else 0,
            waiting=self._unfinished(assignment) + self._unfetched(assignment),
            excuse=self._excuse(),
            faults=self._faults(assignment, self._clock.monotonic()),
        )

    def not_ready(self) -> str | None:
        """Why the worker can not do its job right now; None when it can."""
        if self.ending is not None:
            return self.ending
        vitals = self.vitals()
        if vitals.fatal is not None or vitals.broken is not None:
            return vitals.fatal or str(vitals.broken)
        if vitals.crashed is not None:
            return in_words(vitals.crashed)
        now = self._clock.monotonic()
        for fault in vitals.faults:
            if fault.unfit(now):
                return fault.description(now)
        if self._dead_letter_limit.passed is not None:
            return self._dead_letter_limit.passed
        if (refused := self._refused()) is not None:
            return refused
        if (seconds := self._gate.long_quiet()) is not None:
            return self._quiet(seconds)
        return None if vitals.assignment else "no partitions are assigned yet"

    def _quiet(self, seconds: float) -> str:
        # To the second: asked again and again, it is the same line.
        until = rfc3339(round(self._clock.time() + seconds))
        return (
            f"Genesys Cloud has asked for no requests until {until} (429, Retry-After): an hourly "
            "or daily limit is used up. What needs the API is put off until then and nothing is "
            "lost; ask Genesys for a higher limit if that is too late"
        )

    async def remind_of_quiet(self) -> None:
        """Log now and then that nothing is sent, as long as that lasts: a line that was written
        hours ago is not found."""
        while True:
            await self._clock.sleep(REMIND_SECONDS)
            if (seconds := self._gate.long_quiet()) is not None:
                log.warning("still no requests to Genesys Cloud: %s", self._quiet(seconds))

    def refresh_gauges(self) -> None:
        """Bring the gauges up to date before they are read."""
        lanes, assignment = self._dispatcher.lanes, self._assignments.in_force
        self._metrics.lanes(in_flight=lanes.in_flight, waiting=lanes.backlog - lanes.in_flight)
        self._metrics.state_size(self._table.size)
        self._metrics.gate(
            waiting=self._gate.waiting, breaker=self.breaker, opened=self._gate.breaker.opened
        )
        held = bool(self._dispatcher.held)
        self._metrics.deferred_waiting(len(self._dispatcher.waiting), full=held)
        self._metrics.frontier_lags(self._lags(assignment))
        self._metrics.ready(self.not_ready() is None)

    def _lags(self, assignment: Assignment | None) -> dict[TP, int]:
        consumer = self._consumer()
        if assignment is None or consumer is None:
            return {}
        return {tp: each.lag(consumer.end(tp)) for tp, each in assignment.frontiers.items()}

    def not_taken_up(self, tp: TP) -> int:
        """Offsets of the partition, up to its end as the broker has reported it, that are not taken
        up."""
        consumer, assignment = self._consumer(), self._assignments.in_force
        if consumer is None or assignment is None or tp not in assignment.frontiers:
            return 0
        return max(0, (consumer.end(tp) or 0) - assignment.frontiers[tp].expected)

    def _restoring(self) -> int:
        tables = self._app.tables
        assert isinstance(tables, TableManager)
        return tables.recovery.active_remaining_total()

    def _excuse(self) -> str | None:
        if (obstacle := self._gate.obstacle()) is not None:
            return obstacle
        if self._dead_letter_limit.passed is not None:
            return "too many records have failed"
        return None

    def _unfinished(self, assignment: Assignment | None) -> int:
        """Unfinished records, without those that wait for their time."""
        frontiers = assignment.frontiers.values() if assignment is not None else ()
        return sum(each.unfinished for each in frontiers) - len(self._dispatcher.waiting)

    def _unfetched(self, assignment: Assignment | None) -> int:
        """Offsets that the broker has reported and that were not fetched yet, except in partitions
        held back."""
        consumer = self._consumer()
        if assignment is None or consumer is None:
            return 0
        held = self._dispatcher.held
        return sum(consumer.behind(tp) for tp in assignment.frontiers if tp not in held)

    def _consumer(self) -> SourceConsumer | None:
        consumer = self._app._consumer
        return consumer if isinstance(consumer, SourceConsumer) else None
