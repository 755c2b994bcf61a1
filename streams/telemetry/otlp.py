"""The metrics of a Prometheus registry as OpenTelemetry has them, under the same names.

There is one set of metrics, whoever reads it: what is sent is what ``/metrics`` shows. A collector
that shows them to a Prometheus adds the endings ``_total`` and ``_bucket`` again.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from streams import __version__

# The unit that the end of a name stands for, as OpenTelemetry writes it (UCUM).
_UNITS = {"_seconds": "s", "_bytes": "By"}

_Labels = tuple[tuple[str, str], ...]


def metrics_data(
    registry: CollectorRegistry, resource: Resource, *, started_ns: int, now_ns: int
) -> MetricsData:
    """All metrics as they are now. ``started_ns``: since when they count, epoch nanoseconds."""
    scope = InstrumentationScope("streams", __version__)
    metrics = [_metric(family, started_ns, now_ns) for family in registry.collect()]
    return MetricsData(
        [ResourceMetrics(resource, [ScopeMetrics(scope, metrics, schema_url="")], schema_url="")]
    )


def _metric(family: Family, started_ns: int, now_ns: int) -> Metric:
    data: Sum | Gauge | Histogram
    cumulative = AggregationTemporality.CUMULATIVE
    if family.type == "histogram":
        data = Histogram(list(_histograms(family.samples, started_ns, now_ns)), cumulative)
    elif family.type == "counter":
        counted = (sample for sample in family.samples if not sample.name.endswith("_created"))
        points = list(_numbers(counted, started_ns, now_ns))
        data = Sum(points, cumulative, is_monotonic=True)
    else:
        data = Gauge(list(_numbers(family.samples, started_ns, now_ns)))
    unit = next((unit for end, unit in _UNITS.items() if family.name.endswith(end)), "")
    return Metric(family.name, family.documentation, unit, data)


def _numbers(samples: Iterable[Sample], started_ns: int, now_ns: int) -> Iterator[NumberDataPoint]:
    for sample in samples:
        yield NumberDataPoint(
            attributes=dict(sample.labels),
            start_time_unix_nano=started_ns,
            time_unix_nano=now_ns,
            value=float(sample.value),
            exemplars=_exemplars([sample]),
        )


def _histograms(
    samples: Iterable[Sample], started_ns: int, now_ns: int
) -> Iterator[HistogramDataPoint]:
    buckets: defaultdict[_Labels, list[Sample]] = defaultdict(list)
    sums: dict[_Labels, float] = {}
    for sample in samples:
        labels = tuple((name, value) for name, value in sample.labels.items() if name != "le")
        if sample.name.endswith("_bucket"):
            buckets[labels].append(sample)
        elif sample.name.endswith("_sum"):
            sums[labels] = sample.value
    for labels, found in buckets.items():
        # Prometheus counts what lies below each bound, OpenTelemetry what lies in each bucket.
        below = [int(sample.value) for sample in found]
        bounds = [float(sample.labels["le"]) for sample in found]
        yield HistogramDataPoint(
            attributes=dict(labels),
            start_time_unix_nano=started_ns,
            time_unix_nano=now_ns,
            count=below[-1],
            sum=sums[labels],
            bucket_counts=[now - before for before, now in itertools.pairwise([0, *below])],
            explicit_bounds=[bound for bound in bounds if bound != math.inf],
            # Not known, and left out when it is sent.
            min=None,  # type: ignore[arg-type]
            max=None,  # type: ignore[arg-type]
            exemplars=_exemplars(found),
        )


def _exemplars(samples: Iterable[Sample]) -> Sequence[Exemplar]:
    return [
        Exemplar(
            filtered_attributes={},
            value=each.value,
            time_unix_nano=round(float(each.timestamp or 0.0) * 1e9),
            **_context(each.labels),
        )
        for each in (sample.exemplar for sample in samples)
        if each is not None
    ]


def _context(labels: Mapping[str, str]) -> dict[str, int]:
    return {name: int(labels[name], 16) for name in ("trace_id", "span_id")}
