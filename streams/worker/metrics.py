"""The worker's Prometheus metrics. Every metric is named once, here; times are in seconds."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from faust.types import TP
from opentelemetry.trace import Span
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram

from streams.core.records import Verdict
from streams.genesys.breaker import State
from streams.telemetry.exemplars import exemplar, exported
from streams.telemetry.program import add_program

Invariant = Literal[
    # No commit passes a record that is not finished.
    "commit",
    # The outcomes of an interaction are published in the order of its records.
    "order",
    # No outcome leaves before the table has its verdict.
    "record",
]

# Buckets for one call or one record: from a cache hit to a record that waited out a throttle.
_WORK_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)

# Buckets from the event's own time on: EventBridge may deliver a day late.
_END_TO_END_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)


class WorkerMetrics:
    """The metrics of one worker, on the registry handed in. Also an ApiObserver."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        add_program(registry)
        self._records = Counter(
            "genesys_streams_records",
            "Source records finished, by their outcome's decision and reason.",
            ["decision", "reason"],
            registry=registry,
        )
        self._legs = Counter(
            "genesys_streams_legs",
            "Outcomes on legs of conversations, by their decision and reason.",
            ["decision", "reason"],
            registry=registry,
        )
        self._process_duration = Histogram(
            "genesys_streams_process_duration_seconds",
            "From a record being taken up to its decision.",
            buckets=_WORK_BUCKETS,
            registry=registry,
        )
        self._end_to_end = Histogram(
            "genesys_streams_end_to_end_latency_seconds",
            "From an event's own time to the decision on it.",
            buckets=_END_TO_END_BUCKETS,
            registry=registry,
        )
        self._api_calls = Counter(
            "genesys_streams_api_calls",
            "Requests to Genesys Cloud; status is the HTTP status or the error that came instead.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._api_call_duration = Histogram(
            "genesys_streams_api_call_duration_seconds",
            "One request to Genesys Cloud, to the end of its answer.",
            ["route", "method"],
            buckets=_WORK_BUCKETS,
            registry=registry,
        )
        self._throttle_wait = Counter(
            "genesys_streams_throttle_wait_seconds",
            "Time that requests waited for their turn: for the budget, a 429, the breaker.",
            registry=registry,
        )
        self._throttle_waiting = Gauge(
            "genesys_streams_throttle_waiting",
            "Requests to Genesys Cloud that wait for their turn.",
            registry=registry,
        )
        self._breaker = Enum(
            "genesys_streams_breaker_state",
            "1 for the state that the circuit breaker is in.",
            states=[state.value for state in State],
            registry=registry,
        )
        self._breaker_opened = Gauge(
            "genesys_streams_breaker_opened",
            "Times that the circuit breaker has opened since the worker was started.",
            registry=registry,
        )
        self._in_flight = Gauge(
            "genesys_streams_in_flight",
            "Interactions being worked on.",
            registry=registry,
        )
        self._lanes_waiting = Gauge(
            "genesys_streams_lanes_waiting",
            "Records that wait in their lane, for a free slot or for the one before them.",
            registry=registry,
        )
        self._frontier_lag = Gauge(
            "genesys_streams_frontier_lag_records",
            "Records of the partition that the committed offset has not passed yet.",
            ["topic", "partition"],
            registry=registry,
        )
        self._state_size = Gauge(
            "genesys_streams_state_interactions",
            "Interactions remembered in this worker's table.",
            registry=registry,
        )
        self._sequence_gaps = Counter(
            "genesys_streams_sequence_gaps",
            "Sequence numbers skipped within an interaction; those that came late are counted too.",
            registry=registry,
        )
        self._holes = Counter(
            "genesys_streams_offset_holes",
            "Jumps in a partition's offsets that were checked against the broker.",
            ["partition"],
            registry=registry,
        )
        self._log_cuts = Counter(
            "genesys_streams_log_cuts",
            "Logs found cut, or to be another topic's, below what the group had read of them.",
            ["topic", "partition"],
            registry=registry,
        )
        self._deleted_undecided = Counter(
            "genesys_streams_deleted_undecided_offsets",
            "Offsets that retention deleted before their records were decided.",
            ["topic", "partition"],
            registry=registry,
        )
        self._repeated = Counter(
            "genesys_streams_repeated_records",
            "Records delivered again by Kafka and dropped, for they were finished already.",
            ["partition"],
            registry=registry,
        )
        self._misplaced = Counter(
            "genesys_streams_misplaced_records",
            "Records in another partition than Kafka's default partitioner puts their key into: "
            "a producer places keys otherwise.",
            ["partition"],
            registry=registry,
        )
        self._dead_letters = Counter(
            "genesys_streams_dead_letters",
            "Records put into the dead-letters topic, by reason.",
            ["reason"],
            registry=registry,
        )
        self._deferred = Counter(
            "genesys_streams_deferred_records",
            "Records put off into the retries topic, by reason.",
            ["reason"],
            registry=registry,
        )
        self._deferred_waiting = Gauge(
            "genesys_streams_deferred_waiting",
            "Records put off that this worker has read and whose time has not come.",
            registry=registry,
        )
        self._deferred_full = Gauge(
            "genesys_streams_deferred_full",
            "1 while this worker holds as many records put off as it may, and reads no further.",
            registry=registry,
        )
        self._drain = Gauge(
            "genesys_streams_drain_seconds",
            "Until all that waits is done, at the pace that the API allows; +Inf while somebody "
            "has to mend something first.",
            registry=registry,
        )
        self._oldest_waiting = Gauge(
            "genesys_streams_oldest_waiting_seconds",
            "Since the event of the oldest record that waits, planned looks left out; 0 for none.",
            registry=registry,
        )
        self._ready = Gauge(
            "genesys_streams_worker_ready",
            "1 while the worker can do its job, as /readyz says.",
            registry=registry,
        )
        self._invariant_checks = Counter(
            "genesys_streams_invariant_checks",
            "How often it was looked at whether a promise is kept.",
            ["invariant"],
            registry=registry,
        )
        self._invariant_violations = Counter(
            "genesys_streams_invariant_violations",
            "How often a promise was found broken: it must stay 0.",
            ["invariant"],
            registry=registry,
        )
        # Each counter starts at 0; otherwise an alert on growth never sees the first of a kind.
        for invariant in get_args(Invariant):
            self._invariant_checks.labels(invariant)
            self._invariant_violations.labels(invariant)
        self._rebalances = Counter(
            "genesys_streams_rebalances",
            "Times that partitions were assigned to this worker.",
            registry=registry,
        )

    def records_finished(self, verdicts: Sequence[Verdict], spans: Sequence[Span]) -> None:
        """The outcomes of the records with these verdicts were published. ``spans``: one of each
        record; the slowest of those that are exported is the exemplar."""
        counted = collections.Counter((each.decision, each.reason) for each in verdicts)
        for (decision, reason), number in counted.items():
            self._records.labels(decision.value, reason.value).inc(number)
        traced = [at for at, span in enumerate(spans) if exported(span)]
        slowest = max(traced, key=lambda at: verdicts[at].latency_ms, default=None)
        for at, each in enumerate(verdicts):
            about = exemplar(spans[at]) if at == slowest else None
            self._process_duration.observe(each.latency_ms / 1000, about)
            self._end_to_end.observe(each.end_to_end_ms / 1000, about)

    def legs_decided(self, verdicts: Sequence[Verdict]) -> None:
        """The outcomes of legs with these verdicts were published."""
        for each in verdicts:
            self._legs.labels(each.decision.value, each.reason.value).inc()

    def api_call(self, route: str, method: str, status: int | str, seconds: float) -> None:
        """One request is over (ApiObserver)."""
        self._api_calls.labels(route, method, str(status)).inc()
        self._api_call_duration.labels(route, method).observe(seconds, exemplar())

    def throttled(self, seconds: float) -> None:
        """A request waited for its turn (ApiObserver)."""
        self._throttle_wait.inc(seconds)

    def gate(self, *, waiting: int, breaker: State, opened: int) -> None:
        """Requests that wait for their turn now, the breaker's state, and how often it has
        opened."""
        self._throttle_waiting.set(waiting)
        self._breaker.state(breaker.value)
        self._breaker_opened.set(opened)

    def lanes(self, *, in_flight: int, waiting: int) -> None:
        """Interactions worked on now, and records that wait in their lanes now."""
        self._in_flight.set(in_flight)
        self._lanes_waiting.set(waiting)

    def frontier_lags(self, lags: Mapping[TP, int]) -> None:
        """The lag of every partition that this worker has now. Other partitions are no longer
        shown."""
        self._frontier_lag.clear()
        for tp, lag in lags.items():
            self._frontier_lag.labels(tp.topic, tp.partition).set(lag)

    def state_size(self, interactions: int) -> None:
        """The number of interactions in the table now."""
        self._state_size.set(interactions)

    def sequence_gaps(self, more: int) -> None:
        """Numbers newly known to be missing in an interaction; 0 or less adds nothing."""
        if more > 0:
            self._sequence_gaps.inc(more)

    def hole(self, partition: int) -> None:
        """Offsets were skipped, and the broker is asked whether it has records there."""
        self._holes.labels(partition).inc()

    def log_cut(self, tp: TP) -> None:
        """A partition's log was cut below what the group had read, or is another topic's."""
        self._log_cuts.labels(tp.topic, tp.partition).inc()

    def deleted_undecided(self, tp: TP, offsets: int) -> None:
        """Retention deleted this many offsets before their records were decided."""
        self._deleted_undecided.labels(tp.topic, tp.partition).inc(offsets)

    def repeated(self, partition: int) -> None:
        """A record that was finished came again and was dropped."""
        self._repeated.labels(partition).inc()

    def misplaced(self, partition: int) -> None:
        """A record was taken up that does not lie where the default partitioner puts its key."""
        self._misplaced.labels(partition).inc()

    def dead_letter(self, reason: str) -> None:
        """A record is in the dead-letters topic."""
        self._dead_letters.labels(reason).inc()

    def deferred(self, reason: str) -> None:
        """A record is in the retries topic."""
        self._deferred.labels(reason).inc()

    def deferred_waiting(self, records: int, *, full: bool) -> None:
        """The number of records read from the retries topic whose time has not come. ``full``: no
        more are read for now."""
        self._deferred_waiting.set(records)
        self._deferred_full.set(full)

    def drain(self, seconds: float, oldest: float) -> None:
        """Seconds until all that waits is done, and since the event of the oldest of it."""
        self._drain.set(seconds)
        self._oldest_waiting.set(oldest)

    def invariant_checked(self, invariant: Invariant, checks: int, violations: int) -> None:
        """It was looked at so often whether a promise is kept, and found broken so often."""
        self._invariant_checks.labels(invariant).inc(checks)
        self._invariant_violations.labels(invariant).inc(violations)

    def ready(self, ready: bool) -> None:
        """Whether the worker can do its job now."""
        self._ready.set(ready)

    def rebalanced(self) -> None:
        """Partitions were assigned."""
        self._rebalances.inc()
