"""What is sent over OTLP is what ``/metrics`` shows."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram

from streams.telemetry.otlp import metrics_data
from streams.telemetry.program import add_program

STARTED, NOW = 1_000, 9_000


def sent(registry: CollectorRegistry) -> dict[str, Metric]:
    """Each metric by its name, as it goes over the wire."""
    resource = Resource({"service.name": "worker"})
    data = metrics_data(registry, resource, started_ns=STARTED, now_ns=NOW)
    (of_resource,) = encode_metrics(data).resource_metrics
    assert [each.value.string_value for each in of_resource.resource.attributes] == ["worker"]
    (of_scope,) = of_resource.scope_metrics
    return {metric.name: metric for metric in of_scope.metrics}


def test_a_counter_is_a_sum_that_only_grows() -> None:
    registry = CollectorRegistry()
    records = Counter("records", "Finished.", ["decision"], registry=registry)
    records.labels("patched").inc(3)
    metric = sent(registry)["records"]
    assert metric.description == "Finished."
    assert metric.sum.is_monotonic
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert metric.sum.aggregation_temporality == cumulative
    (point,) = metric.sum.data_points
    assert (point.as_double, point.start_time_unix_nano, point.time_unix_nano) == (3, STARTED, NOW)
    (label,) = point.attributes
    assert (label.key, label.value.string_value) == ("decision", "patched")


def test_a_histogram_has_what_lies_in_each_bucket_and_the_trace_behind_one() -> None:
    registry = CollectorRegistry()
    took = Histogram("took_seconds", "Took.", ["topic"], buckets=(1.0, 5.0), registry=registry)
    for seconds in (0.5, 0.5, 3.0, 9.0):
        took.labels("events").observe(seconds)
    took.labels("events").observe(4.0, {"trace_id": "ab" * 16, "span_id": "cd" * 8})
    metric = sent(registry)["took_seconds"]
    assert metric.unit == "s"
    (point,) = metric.histogram.data_points
    assert list(point.explicit_bounds) == [1.0, 5.0]
    assert list(point.bucket_counts) == [2, 2, 1]
    assert (point.count, point.sum) == (5, 17.0)
    assert not point.HasField("min")
    (exemplar,) = point.exemplars
    assert (exemplar.as_double, exemplar.trace_id) == (4.0, bytes([0xAB]) * 16)
    assert exemplar.span_id == bytes([0xCD]) * 8


def test_gauges_and_states_are_gauges() -> None:
    registry = CollectorRegistry()
    Gauge("lag", "Behind.", registry=registry).set(7)
    Enum("state", "Now.", states=["open", "closed"], registry=registry).state("closed")
    metrics = sent(registry)
    assert [point.as_double for point in metrics["lag"].gauge.data_points] == [7]
    states = {
        point.attributes[0].value.string_value: point.as_double
        for point in metrics["state"].gauge.data_points
    }
    assert states == {"open": 0, "closed": 1}


def test_the_process_and_its_versions_are_sent_too() -> None:
    registry = CollectorRegistry()
    add_program(registry)
    metrics = sent(registry)
    assert metrics["process_resident_memory_bytes"].unit == "By"
    assert metrics["process_resident_memory_bytes"].gauge.data_points[0].as_double > 0
    assert metrics["process_cpu_seconds"].sum.is_monotonic
    assert {
        each.key for each in metrics["genesys_streams_build_info"].gauge.data_points[0].attributes
    } == {
        "version",
        "python",
    }
