"""What the chart renders, whatever is switched on and off, is what Kubernetes takes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click
import pytest
import yaml
from prometheus_client import CollectorRegistry

from streams.cli.main import root
from streams.worker.metrics import WorkerMetrics
from tests.helm.matrix import AUTOSCALED, CONSOLE, EVERYTHING, MATRIX, MONITORED
from tests.support.chart import RELEASES, Chart, Document, complaints, containers, one, pod_specs

# Kinds of other projects' operators: Kubernetes has no schema for them.
CUSTOM = {"ScaledObject", "ServiceMonitor", "PrometheusRule"}

OBSERVABILITY = Path(__file__).resolve().parents[2] / "deploy" / "observability"


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_kubernetes_takes_it(chart: Chart, values: tuple[Document, ...]) -> None:
    documents = chart.render(*values)
    found = [
        (release, complaint)
        for document in documents
        if document["kind"] not in CUSTOM
        # The chart is the same for every release, and only a little of each is new.
        for release in (RELEASES if values in ((), (EVERYTHING,)) else RELEASES[1:2])
        for complaint in complaints(document, release)
    ]
    assert found == []
    names = Counter((each["kind"], each["metadata"]["name"]) for each in documents)
    assert set(names.values()) == {1}


def test_a_field_that_kubernetes_does_not_know_is_noticed(chart: Chart) -> None:
    worker = one(chart.render(), "StatefulSet")
    worker["spec"]["podManagmentPolicy"] = worker["spec"].pop("podManagementPolicy")
    worker["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] = "10"
    assert len(complaints(worker, RELEASES[1])) == 2


@pytest.mark.parametrize("values", [(), (EVERYTHING,)], ids=["least", "everything"])
def test_helm_has_nothing_to_remark(chart: Chart, values: tuple[Document, ...]) -> None:
    assert "WARNING" not in chart.lint(chart.least, *values)


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_names_fit_and_selectors_find_what_they_are_for(
    chart: Chart, values: tuple[Document, ...]
) -> None:
    documents = chart.render(*values)
    pods = [
        document["spec"]["template"]["metadata"]["labels"]
        for document in documents
        if "template" in document.get("spec", {})
    ]
    for document in documents:
        # A StatefulSet's name goes into a label behind which a hash of eleven characters is put.
        assert len(document["metadata"]["name"]) <= 52
        spec = document.get("spec", {})
        if document["kind"] in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
            wanted = spec["selector"]["matchLabels"]
        elif document["kind"] == "Service":
            wanted = spec["selector"]
        elif document["kind"] == "NetworkPolicy":
            wanted = spec["podSelector"]["matchLabels"]
        else:
            continue
        assert sum(wanted.items() <= labels.items() for labels in pods) == 1


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_no_pod_has_more_rights_than_it_needs(chart: Chart, values: tuple[Document, ...]) -> None:
    documents = chart.render(*values)
    for spec in pod_specs(documents):
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["fsGroup"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
    for container in containers(documents):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"].keys() == {"memory"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("values", [{}, {"topics": {"declaration": {"configMap": "ours"}}}])
def test_what_the_containers_run_is_there(
    chart: Chart, values: Document, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = {each["name"]: each["args"] for each in containers(chart.render(CONSOLE, values))}
    assert run.keys() == {"worker", "bridge", "topics", "console"}
    (declaration := tmp_path / "topics.yaml").touch()
    # Nothing is run: a group only looks for its command.
    monkeypatch.setattr(click.Command, "invoke", lambda *_: None)
    for args in run.values():
        mounted = [str(declaration) if each.startswith("/etc/") else each for each in args]
        root.main(mounted, standalone_mode=False)


def test_a_new_version_of_the_chart_alone_restarts_no_pod(chart: Chart) -> None:
    for document in chart.render(EVERYTHING):
        template = document.get("spec", {}).get("template", {})
        labels = template.get("metadata", {}).get("labels", {})
        assert not labels.keys() & {"helm.sh/chart", "app.kubernetes.io/version"}


def test_the_autoscaling_asks_for_a_metric_that_the_worker_has(chart: Chart) -> None:
    scaled = one(chart.render(AUTOSCALED), "ScaledObject")["spec"]
    (trigger,) = scaled["triggers"]
    query = trigger["metadata"]["query"]
    metric = query.partition("(")[2].partition("{")[0]
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    assert metric in {each.name for each in registry.collect()}
    assert 'topic="genesys.interaction.events"' in query
    assert query.endswith("}) / 370"), "seconds of one worker's work"
    assert trigger["metadata"]["threshold"] == "60"


@pytest.mark.parametrize(("wanted", "partitions", "most"), [(12, 12, 12), (40, 12, 12), (5, 12, 5)])
def test_no_more_workers_than_partitions(
    chart: Chart, wanted: int, partitions: int, most: int
) -> None:
    values = {
        "topics": {"partitions": partitions},
        "worker": {"autoscaling": {"maxReplicas": wanted}},
    }
    documents = chart.render(AUTOSCALED, values)
    assert one(documents, "ScaledObject")["spec"]["maxReplicaCount"] == most
    # The number of replicas is the autoscaling's: an upgrade must not set it back.
    assert "replicas" not in one(documents, "StatefulSet")["spec"]


def test_each_program_is_scraped(chart: Chart) -> None:
    documents = chart.render(EVERYTHING, MONITORED)
    monitors = [each for each in documents if each["kind"] == "ServiceMonitor"]
    services = [each for each in documents if each["kind"] == "Service"]
    assert len(monitors) == 4
    for monitor in monitors:
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = [each for each in services if wanted <= each["metadata"]["labels"].items()]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["path"] == "/metrics"


def test_alerts_are_those_of_the_one_file_and_lead_to_the_runbook(chart: Chart) -> None:
    rule = one(chart.render(MONITORED), "PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    written = (OBSERVABILITY / "alerts.yaml").read_text()
    read = written.replace("docs/alerts.md", "https://example.com/runbook")
    assert rule["spec"] == yaml.safe_load(read)
    assert one(
        chart.render(MONITORED, {"prometheusRule": {"runbook": "docs/alerts.md"}}), "PrometheusRule"
    )["spec"] == yaml.safe_load(written)


def test_dashboards_are_those_of_the_one_folder(chart: Chart) -> None:
    dashboards = one(chart.render(MONITORED), "ConfigMap")
    assert (
        dashboards["metadata"]["labels"].items()
        >= {"grafana_dashboard": "1", "folder": "calls"}.items()
    )
    assert {name: json.loads(text) for name, text in dashboards["data"].items()} == {
        f"genesys-streams-{path.name}": json.loads(path.read_text())
        for path in (OBSERVABILITY / "dashboards").iterdir()
    }


@pytest.mark.parametrize(
    ("mechanism", "reached"),
    [("SCRAM-SHA-512", False), ("OAUTHBEARER", True), ("AWS_MSK_IAM", True)],
)
def test_a_bridge_reaches_https_where_its_kafka_takes_tokens(
    chart: Chart, mechanism: str, reached: bool
) -> None:
    documents = chart.render({"settings": {"KAFKA_SASL_MECHANISM": mechanism}})
    egress = one(documents, "NetworkPolicy", "bridge-http")["spec"]["egress"]
    assert ({"ports": [{"port": 443}]} in egress) is reached
