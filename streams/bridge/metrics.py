"""The Prometheus metrics that every bridge has. Every metric is named once; times are in
seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Gauge, Histogram

from streams.telemetry.exemplars import exemplar
from streams.telemetry.program import add_program

# Time to one acknowledgement: from that of a nearby broker to the deadline of the answer.
_PUBLISH_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4)


class BridgeMetrics:
    """Metrics of one bridge on the registry handed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        add_program(registry)
        self._publish_duration = Histogram(
            "genesys_streams_bridge_publish_duration_seconds",
            "From handing a record to the producer to its acknowledgement, or to giving up.",
            ["topic"],
            buckets=_PUBLISH_BUCKETS,
            registry=registry,
        )
        self.ready = Gauge(
            "genesys_streams_bridge_ready",
            "1 while the bridge is able to put events into Kafka.",
            registry=registry,
        )

    @contextmanager
    def published(self, topic: str) -> Iterator[None]:
        """Time the block, which publishes a record; its current span is the exemplar."""
        began = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - began
            self._publish_duration.labels(topic).observe(seconds, exemplar())
