"""Metrics leave the process when they are asked for, and the program never waits for that."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from unittest import mock

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry

from streams.errors import SettingsError
from streams.telemetry import otel
from streams.telemetry.metering import NOWHERE, MetricsExport, configure
from tests.support.workers import eventually

RESOURCE = Resource({"service.name": "worker"})
SOON = 0.02


@pytest.fixture(autouse=True)
def nothing_set() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("OTEL_")]:
            del os.environ[name]
        yield


class Collector(MetricExporter):
    """Takes what is sent once ``takes`` is set. ``failure``: what it raises instead."""

    def __init__(self) -> None:
        super().__init__()
        self.takes = threading.Event()
        self.taken: list[MetricsData] = []
        self.failure: Exception | None = None

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object
    ) -> MetricExportResult:
        self.taken.append(metrics_data)
        self.takes.wait(30)
        if self.failure is not None:
            raise self.failure
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        self.takes.set()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.takes.set()


def export_to(collector: Collector, interval: float = SOON) -> MetricsExport:
    return MetricsExport([collector], RESOURCE, interval=interval)


async def test_all_is_read_again_and_again_and_once_more_at_the_end(collector: Collector) -> None:
    collector.takes.set()
    export, read = export_to(collector), [0]

    def metrics() -> CollectorRegistry:
        read[0] += 1
        return CollectorRegistry()

    running = asyncio.create_task(export.run(metrics))
    await eventually(lambda: len(collector.taken) >= 3, 20, "sent three times", every=SOON)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    export.close(20)
    assert read[0] - export.skipped == len(collector.taken) > 3


async def test_a_collector_that_is_stuck_costs_its_metrics_alone(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    export = export_to(collector)
    running = asyncio.create_task(export.run(CollectorRegistry))
    # The loop goes on all the while, or nothing would be skipped.
    await eventually(lambda: export.skipped >= 3, 20, "readings are left out", every=SOON)
    assert len(collector.taken) == 1
    assert "the collector still has the ones before" in caplog.text
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    began = time.monotonic()
    export.close(0.2)
    assert time.monotonic() - began < 5
    assert "is the collector up?" in caplog.text


async def test_a_collector_that_refuses_is_asked_again(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.takes.set()
    collector.failure = RuntimeError("authorization: hush")
    export = export_to(collector)
    running = asyncio.create_task(export.run(CollectorRegistry))
    await eventually(lambda: len(collector.taken) >= 2, 20, "sent again", every=SOON)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    export.close(20)
    assert "RuntimeError" in caplog.text
    assert "hush" not in caplog.text


async def test_metrics_that_can_not_be_read_end_nothing(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.takes.set()
    tries = [0]

    def metrics() -> CollectorRegistry:
        tries[0] += 1
        if tries[0] == 1:
            raise RuntimeError("no table yet")
        return CollectorRegistry()

    export = export_to(collector)
    running = asyncio.create_task(export.run(metrics))
    await eventually(lambda: collector.taken, 20, "sent after all", every=SOON)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    export.close(20)
    assert "metrics could not be read" in caplog.text


async def test_without_an_exporter_nothing_is_read() -> None:
    def metrics() -> CollectorRegistry:
        raise AssertionError("nobody asked for them")

    await NOWHERE.run(metrics)
    NOWHERE.close()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, [OTLPMetricExporter]),
        ({"OTEL_METRICS_EXPORTER": "console,none"}, [ConsoleMetricExporter]),
        # The page is there anyway.
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, [OTLPMetricExporter]),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:9/x"}, [OTLPMetricExporter]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/x"}, []),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_METRICS_EXPORTER": "none"},
            [],
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, []),
    ],
)
def test_exporters_are_those_the_environment_names(
    environment: dict[str, str], expected: list[type]
) -> None:
    os.environ.update(environment)
    otel.prepare()
    assert [type(exporter) for exporter in configure(RESOURCE)._exporters] == expected


def test_the_interval_is_the_sdk_s_own_variable() -> None:
    assert configure(RESOURCE)._interval == 60
    os.environ["OTEL_METRIC_EXPORT_INTERVAL"] = "5000"
    assert configure(RESOURCE)._interval == 5


def test_what_the_sdk_could_not_act_on_is_a_setting_that_is_wrong() -> None:
    os.environ["OTEL_METRICS_EXPORTER"] = "otlp"
    provider = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER"
    os.environ[provider] = "nobody"
    with pytest.raises(SettingsError, match=provider):
        configure(RESOURCE)
