"""The worker's metrics, as Prometheus reads them."""

from __future__ import annotations

import msgspec
import pytest
from faust.types import TP
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import INVALID_SPAN
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from streams import __version__
from streams.core.records import Basis, Decision, Reason, Verdict
from streams.worker.metrics import WorkerMetrics


@pytest.fixture
def metrics() -> WorkerMetrics:
    return WorkerMetrics(CollectorRegistry())


def value(metrics: WorkerMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"genesys_streams_{name}", labels)


def verdict(end_to_end_ms: float) -> Verdict:
    return Verdict(
        Decision.PATCHED,
        Reason.ELIGIBLE,
        Basis.API,
        latency_ms=40.0,
        end_to_end_ms=end_to_end_ms,
    )


def test_a_finished_record_counts_by_decision_and_reason_and_in_seconds(
    metrics: WorkerMetrics,
) -> None:
    metrics.records_finished([verdict(1500.0)], [INVALID_SPAN])
    metrics.records_finished([verdict(500.0)], [INVALID_SPAN])
    assert value(metrics, "records_total", decision="patched", reason="eligible") == 2
    assert value(metrics, "process_duration_seconds_sum") == pytest.approx(0.08)
    assert value(metrics, "end_to_end_latency_seconds_count") == 2
    assert value(metrics, "end_to_end_latency_seconds_sum") == 2.0


def test_the_slowest_record_of_a_group_that_is_traced_is_the_exemplar(
    metrics: WorkerMetrics,
) -> None:
    tracer = TracerProvider().get_tracer("test")
    spans = [tracer.start_span(name) for name in ("quick", "slow", "quick")]
    spans.append(INVALID_SPAN)  # of a trace that is not sampled
    latencies = (40.0, 900.0, 41.0, 1200.0)
    verdicts = [msgspec.structs.replace(verdict(9.0), latency_ms=each) for each in latencies]

    metrics.records_finished(verdicts, spans)

    page = openmetrics(metrics.registry).decode()  # type: ignore[no-untyped-call]
    traced = [line for line in page.splitlines() if "trace_id" in line]
    assert {line.partition("{")[0] for line in traced} == {
        "genesys_streams_process_duration_seconds_bucket",
        "genesys_streams_end_to_end_latency_seconds_bucket",
    }
    slow = spans[1].get_span_context()
    assert all(f'trace_id="{slow.trace_id:032x}"' in line for line in traced)


def test_promises_are_counted_from_0(metrics: WorkerMetrics) -> None:
    assert value(metrics, "invariant_violations_total", invariant="order") == 0
    metrics.invariant_checked("order", 3, 1)
    assert value(metrics, "invariant_checks_total", invariant="order") == 3
    assert value(metrics, "invariant_violations_total", invariant="order") == 1


def test_api_calls_by_route_method_and_status(metrics: WorkerMetrics) -> None:
    metrics.api_call("/r/{id}", "GET", 200, 0.2)
    metrics.api_call("/r/{id}", "GET", "ApiTimeout", 10.0)
    labels = {"route": "/r/{id}", "method": "GET"}
    assert value(metrics, "api_calls_total", **labels, status="200") == 1
    assert value(metrics, "api_calls_total", **labels, status="ApiTimeout") == 1
    assert value(metrics, "api_call_duration_seconds_sum", **labels) == 10.2


def test_waits_at_the_gate_add_up(metrics: WorkerMetrics) -> None:
    metrics.throttled(2.5)
    metrics.throttled(1.0)
    assert value(metrics, "throttle_wait_seconds_total") == 3.5


def test_a_partition_that_is_gone_is_shown_no_more(metrics: WorkerMetrics) -> None:
    metrics.frontier_lags({TP("e", 0): 5, TP("e", 1): 7})
    metrics.frontier_lags({TP("e", 1): 3})
    assert value(metrics, "frontier_lag_records", topic="e", partition="0") is None
    assert value(metrics, "frontier_lag_records", topic="e", partition="1") == 3


def test_gauges_show_what_is_now(metrics: WorkerMetrics) -> None:
    metrics.lanes(in_flight=9, waiting=4)
    metrics.lanes(in_flight=3, waiting=2)
    metrics.state_size(1000)
    metrics.state_size(900)
    assert value(metrics, "in_flight") == 3
    assert value(metrics, "lanes_waiting") == 2
    assert value(metrics, "state_interactions") == 900


def test_what_happened_is_counted(metrics: WorkerMetrics) -> None:
    metrics.sequence_gaps(2)
    metrics.sequence_gaps(-1)
    metrics.hole(3)
    metrics.repeated(3)
    metrics.misplaced(3)
    metrics.dead_letter("forbidden")
    metrics.deferred("timeout")
    metrics.rebalanced()
    assert value(metrics, "sequence_gaps_total") == 2
    assert value(metrics, "offset_holes_total", partition="3") == 1
    assert value(metrics, "repeated_records_total", partition="3") == 1
    assert value(metrics, "misplaced_records_total", partition="3") == 1
    assert value(metrics, "dead_letters_total", reason="forbidden") == 1
    assert value(metrics, "deferred_records_total", reason="timeout") == 1
    assert value(metrics, "rebalances_total") == 1


def test_every_metric_has_its_prefix_and_a_line_of_help(metrics: WorkerMetrics) -> None:
    collected = list(metrics.registry.collect())
    # Those of the process have the names and texts that they have everywhere.
    ours = [metric for metric in collected if not metric.name.startswith("process_")]
    assert len(ours) < len(collected)
    assert all(metric.name.startswith("genesys_streams_") for metric in ours)
    assert all(metric.documentation.endswith(".") for metric in ours)
    assert f'version="{__version__}"' in generate_latest(metrics.registry).decode()


def test_the_time_to_drain_and_the_age_of_the_oldest(metrics: WorkerMetrics) -> None:
    metrics.drain(float("inf"), 90.0)
    assert value(metrics, "drain_seconds") == float("inf")
    assert value(metrics, "oldest_waiting_seconds") == 90.0
