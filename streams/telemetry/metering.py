"""Sends the metrics of the process to a collector, when ``OTEL_*`` asks for it.

A collector that is slow, refuses or is gone costs nothing but its metrics: all of them are read
on the program's loop, and sent by a thread that nobody waits for. What can not be sent before the
next ones are due is left out, for those say the same and more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry

from streams.telemetry import otel

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

log = logging.getLogger(__name__)

# As the SDK has it where OTEL_METRIC_EXPORT_INTERVAL is not set.
INTERVAL_MS = 60_000

# What the last metrics may take after the last spans, which have 2 s for themselves: they were
# handed over before those, and all of it has to fit into the 10 s of an end.
LAST_SECONDS = 0.5


class MetricsExport:
    """Reads the metrics every ``interval`` seconds and has them sent. Without exporters it does
    nothing."""

    def __init__(
        self, exporters: Sequence[MetricExporter], resource: Resource, *, interval: float
    ) -> None:
        self._exporters = exporters
        self._resource = resource
        self._interval = interval
        self._started_ns = time.time_ns()
        # None ends the thread.
        self._due: queue.Queue[MetricsData | None] = queue.Queue(maxsize=1)
        self._sending: threading.Thread | None = None
        self.skipped = 0
        """Readings that were left out because an earlier one was still being sent."""

    async def run(self, metrics: Callable[[], CollectorRegistry]) -> None:
        """Export until cancelled, and once more then. ``metrics``: returns the registry with its
        gauges up to date."""
        if not self._exporters:
            return
        # A daemon: an export that is stuck must not keep the process alive.
        self._sending = threading.Thread(target=self._send, name="metrics", daemon=True)
        self._sending.start()
        try:
            while True:
                await asyncio.sleep(self._interval)
                self._read(metrics)
        finally:
            self._read(metrics)

    def close(self, seconds: float = LAST_SECONDS) -> None:
        """Wait that long for what is being sent, and send nothing more."""
        if self._sending is None:
            return
        deadline = time.monotonic() + seconds
        try:
            self._due.put(None, timeout=seconds)
        except queue.Full:
            log.warning("the last metrics were not taken in time: is the collector up?")
            return
        self._sending.join(max(0.0, deadline - time.monotonic()))

    def _read(self, metrics: Callable[[], CollectorRegistry]) -> None:
        from streams.telemetry.otlp import metrics_data

        try:
            data = metrics_data(
                metrics(), self._resource, started_ns=self._started_ns, now_ns=time.time_ns()
            )
            self._due.put_nowait(data)
        except queue.Full:
            self.skipped += 1
            log.warning("metrics were not sent: the collector still has the ones before")
        except Exception:  # what is measured must not end what it measures
            log.exception("metrics could not be read, and were not sent")

    def _send(self) -> None:
        while (data := self._due.get()) is not None:
            for exporter in self._exporters:
                try:
                    exporter.export(data)
                except Exception as failure:  # noqa: BLE001 - the next ones may be taken
                    log.warning("metrics were not sent: %s", type(failure).__name__)


# For a program that is run by a test, or by another one.
NOWHERE = MetricsExport((), Resource.get_empty(), interval=INTERVAL_MS / 1000)


def configure(resource: Resource) -> MetricsExport:
    """The export that ``OTEL_METRICS_EXPORTER`` or an OTLP endpoint asks for. ``resource``: what
    the spans of this process have. The variables were checked by ``otel.prepare``. Raises
    SettingsError for one that the SDK could not act on."""
    names = otel.exporters(os.environ, "METRICS")
    interval_ms = int(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", INTERVAL_MS))
    try:
        exporters = [_exporter(name) for name in names]
    except Exception as exc:  # noqa: BLE001 - see `not_taken`
        raise otel.not_taken(exc) from None
    return MetricsExport(exporters, resource, interval=interval_ms / 1000)


def _exporter(name: str) -> MetricExporter:
    # Imported here: most processes send no metrics, and need not hold what would.
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter

    # Stdout is for data.
    return ConsoleMetricExporter(out=sys.stderr) if name == "console" else OTLPMetricExporter()
