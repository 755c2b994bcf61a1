"""The operator's page on Kubernetes: one pod, its index, and who may reach it."""

from __future__ import annotations

from tests.helm.matrix import CONSOLE, CONSOLE_KEPT
from tests.support.chart import Chart, one


def test_there_is_none_unless_it_is_asked_for(chart: Chart) -> None:
    assert not [each for each in chart.render() if each["metadata"]["name"].endswith("console")]


def test_its_index_is_never_shared_by_two_pods(chart: Chart) -> None:
    """Without a volume each pod has an index of its own, and so a new one may come first."""
    of_its_own = one(chart.render(CONSOLE), "Deployment", "console")["spec"]
    assert of_its_own["replicas"] == 1
    assert of_its_own["strategy"]["type"] == "RollingUpdate"
    (volume,) = of_its_own["template"]["spec"]["volumes"]
    assert volume == {"name": "data", "emptyDir": {"sizeLimit": "2Gi"}}

    documents = chart.render(CONSOLE_KEPT)
    kept = one(documents, "Deployment", "console")["spec"]
    assert kept["strategy"] == {"type": "Recreate"}
    claim = one(documents, "PersistentVolumeClaim")
    (volume,) = kept["template"]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["resources"]["requests"] == {"storage": "20Gi"}


def test_it_reaches_kafka_and_the_workers_and_nothing_else(chart: Chart) -> None:
    documents = chart.render(CONSOLE)
    policy = one(documents, "NetworkPolicy", "console")["spec"]
    workers = one(documents, "StatefulSet")["spec"]["selector"]["matchLabels"]
    names, kafka, peers = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert kafka == {"ports": [{"port": 9092}]}
    assert peers == {
        "ports": [{"port": "http"}],
        "to": [{"podSelector": {"matchLabels": workers}}],
    }
    own = one(documents, "Deployment", "console")["spec"]["selector"]["matchLabels"]
    worker = one(documents, "NetworkPolicy", "worker")["spec"]
    (allowed, _) = worker["ingress"]
    assert {"podSelector": {"matchLabels": own}} in allowed["from"]
    plain = one(chart.render(), "NetworkPolicy", "worker")["spec"]["ingress"][0]
    assert len(plain["from"]) == 1, "without a console nobody has its labels"


def test_nobody_looks_who_is_not_named(chart: Chart) -> None:
    closed = one(chart.render(CONSOLE), "NetworkPolicy", "console")["spec"]["ingress"]
    (metrics,) = closed
    assert "namespaceSelector" in metrics["from"][0]
    named = one(chart.render(CONSOLE_KEPT), "NetworkPolicy", "console")["spec"]["ingress"]
    assert len(named) == 2
