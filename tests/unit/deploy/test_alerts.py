"""Each alert says what it means and what to do; each dashboard is one that Grafana loads."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from streams.bridge.http.metrics import HttpMetrics
from streams.bridge.sqs.metrics import SqsMetrics
from streams.worker.metrics import WorkerMetrics
from tests.support.alerts import (
    DASHBOARDS,
    OBSERVABILITY,
    alerts,
    expressions,
    labels_in,
    metrics_in,
)

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK = ROOT / "docs" / "alerts.md"


def test_each_alert_has_its_section_in_the_runbook_and_each_section_its_alert() -> None:
    named = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in alerts()}
    assert named == {name: f"docs/alerts.md#{name.lower()}" for name in named}
    assert set(re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE)) == set(named)


def test_each_section_says_more_than_its_name() -> None:
    sections = re.split(r"^#{2,3} ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    told = {name: text.strip() for name, _, text in (each.partition("\n") for each in sections)}
    assert [rule["alert"] for rule in alerts() if len(told[rule["alert"]]) < 80] == []


def test_an_alert_is_a_page_where_its_section_says_so() -> None:
    text = RUNBOOK.read_text()
    paging = {rule["alert"] for rule in alerts() if rule["labels"] == {"severity": "page"}}
    assert set(re.findall(r"^### (\w+)\n\nPage\.", text, re.MULTILINE)) == paging
    assert {rule["labels"]["severity"] for rule in alerts()} == {"page", "ticket"}


def test_names_are_given_once() -> None:
    assert max(Counter(rule["alert"] for rule in alerts()).values()) == 1
    uids = [json.loads(path.read_text())["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids) == 4


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_complete(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    panels: list[dict[str, Any]] = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["type"] == "row" or (panel["description"] and panel["targets"]), panel["title"]
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in panels]
    for at, (x, y, w, h) in enumerate(places):
        assert x + w <= 24
        for x2, y2, w2, h2 in places[:at]:
            apart = x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
            assert apart, "two panels lie on one another"


def test_every_expression_names_a_metric_of_ours() -> None:
    assert [where for where, expression in expressions() if not metrics_in(expression)] == []


def test_every_metric_of_ours_is_on_a_dashboard() -> None:
    shown = {name for where, text in expressions() if ".json" in where for name in metrics_in(text)}
    for metrics in (WorkerMetrics, HttpMetrics, SqsMetrics):
        registry = CollectorRegistry()
        metrics(registry)
        names = {metric.name for metric in registry.collect()}
        ours = {name for name in names if name.startswith("genesys_streams_")}
        unseen = {name for name in ours if not any(each.startswith(name) for each in shown)}
        assert unseen == set(), metrics.__name__


def test_metrics_and_labels_are_told_apart() -> None:
    expression = (
        'rate(genesys_streams_a_total{genesys_streams_state="x", topic=~".*"}[5m]) '
        "and on (job) genesys_streams_b"
    )
    assert metrics_in(expression) == {"genesys_streams_a_total", "genesys_streams_b"}
    assert set(labels_in(expression)) == {
        ("genesys_streams_a_total", "genesys_streams_state"),
        ("genesys_streams_a_total", "topic"),
    }


def test_the_composition_mounts_what_is_there() -> None:
    composition = yaml.safe_load((ROOT / "docker-compose.observability.yml").read_text())
    mounted = [
        volume.partition(":")[0]
        for service in composition["services"].values()
        for volume in service.get("volumes", ())
    ]
    assert len(mounted) == 6
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_grafana_leads_from_an_exemplar_to_its_trace() -> None:
    provisioned = yaml.safe_load((OBSERVABILITY / "grafana-datasources.yaml").read_text())
    prometheus, traces = provisioned["datasources"]
    (to,) = prometheus["jsonData"]["exemplarTraceIdDestinations"]
    # As `streams/telemetry/exemplars.py` labels them.
    assert to == {"name": "trace_id", "datasourceUid": traces["uid"]}
