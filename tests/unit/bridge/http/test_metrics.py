"""What the bridge counts, and that an operator finds it in the documents."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from streams.bridge.http.metrics import Answered, HttpMetrics

DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    HttpMetrics(registry)
    return registry


@pytest.mark.parametrize("answer", get_args(Answered))
def test_each_answer_is_counted_from_0_or_an_alert_misses_the_first(
    registry: CollectorRegistry, answer: str
) -> None:
    labels = {"answer": answer}
    assert registry.get_sample_value("genesys_streams_bridge_requests_total", labels) == 0


def names(registry: CollectorRegistry) -> set[str]:
    """All but those that every program has."""
    all_of_them = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in registry.collect()
    }
    return {name for name in all_of_them if name.startswith("genesys_streams_bridge_")}


def test_every_metric_and_every_answer_is_documented(registry: CollectorRegistry) -> None:
    text = (DOCS / "bridge.md").read_text()
    assert {name for name in names(registry) if f"`{name}" not in text} == set()
    assert [answer for answer in get_args(Answered) if f"\n| `{answer}` |" not in text] == []


def test_what_to_watch_names_no_metric_that_there_is_not(registry: CollectorRegistry) -> None:
    text = (DOCS / "operations.md").read_text()
    named = {word.split("{")[0] for word in text.split("`") if "_bridge_" in word}
    assert named
    assert named <= names(registry)
