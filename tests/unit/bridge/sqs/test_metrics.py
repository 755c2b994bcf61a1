"""What the bridge from SQS counts, and that an operator finds it in the documents."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from streams.bridge.sqs.metrics import Ended, Operation, SqsMetrics

DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    SqsMetrics(registry)
    return registry


@pytest.mark.parametrize("result", get_args(Ended))
def test_each_result_is_counted_from_0_or_an_alert_misses_the_first(
    registry: CollectorRegistry, result: str
) -> None:
    labels = {"result": result}
    assert registry.get_sample_value("genesys_streams_bridge_messages_total", labels) == 0


@pytest.mark.parametrize("operation", get_args(Operation))
def test_so_is_each_request_that_fails(registry: CollectorRegistry, operation: str) -> None:
    labels = {"operation": operation}
    assert registry.get_sample_value("genesys_streams_bridge_queue_errors_total", labels) == 0


def test_every_metric_and_every_result_is_documented(registry: CollectorRegistry) -> None:
    text = (DOCS / "bridge-sqs.md").read_text()
    names = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in registry.collect()
        if metric.name.startswith("genesys_streams_bridge_")
    }
    assert {name for name in names if f"`{name}" not in text} == set()
    assert [result for result in get_args(Ended) if f"\n| `{result}` |" not in text] == []
