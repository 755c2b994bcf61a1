"""That a restart of the workers disturbs nobody, and that probes and times fit the program."""

from __future__ import annotations

import json

from streams.bridge.http.run import DRAIN_SECONDS as BRIDGE_DRAIN_SECONDS
from streams.cli.serving import DRAIN_SECONDS
from streams.console.run import DRAIN_SECONDS as CONSOLE_DRAIN_SECONDS
from streams.worker.health.watchdog import JOIN_SECONDS
from tests.helm.matrix import AUTOSCALED, EVERYTHING
from tests.support.chart import Chart, Document, containers, one

# What a pod takes between its program's end and the next one's start: to be unmounted, scheduled,
# mounted and started, with the image there.
POD_SECONDS = 20.0


def container(workload: Document) -> Document:
    (found,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_a_worker_is_back_before_its_session_ends(chart: Chart) -> None:
    workload = one(chart.render(), "StatefulSet")
    variables = {each["name"]: each for each in container(workload)["env"]}
    session = float(variables["KAFKA_SESSION_TIMEOUT_SECONDS"]["value"])
    assert DRAIN_SECONDS + POD_SECONDS < session < JOIN_SECONDS
    named = variables["WORKER_INSTANCE_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert named == "metadata.name"
    assert workload["spec"]["updateStrategy"] == {"type": "RollingUpdate"}


def test_each_worker_has_a_volume_of_its_own_where_its_data_are(chart: Chart) -> None:
    workload = one(chart.render(), "StatefulSet")
    (claim,) = workload["spec"]["volumeClaimTemplates"]
    (mount,) = container(workload)["volumeMounts"]
    assert mount == {"name": claim["metadata"]["name"], "mountPath": "/data"}
    variables = {each["name"]: each.get("value") for each in container(workload)["env"]}
    assert variables["DATA_DIR"] == mount["mountPath"]


def test_what_can_not_be_changed_is_the_same_in_each_version(chart: Chart) -> None:
    """Kubernetes refuses an upgrade that changes a volume claim template or a selector."""
    workload = one(chart.render(), "StatefulSet")
    other = one(chart.render({"image": {"tag": "9.9.9"}}, AUTOSCALED), "StatefulSet")
    for field in ("volumeClaimTemplates", "selector", "serviceName", "podManagementPolicy"):
        assert workload["spec"][field] == other["spec"][field]
        assert "0.2.0" not in str(workload["spec"][field])


def test_the_workers_reach_one_another_by_the_services_names(chart: Chart) -> None:
    documents = chart.render()
    workload, service = one(documents, "StatefulSet"), one(documents, "Service", "worker")
    assert workload["spec"]["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True


def test_nobody_is_killed_while_it_drains(chart: Chart) -> None:
    documents = chart.render(EVERYTHING)
    worker = one(documents, "StatefulSet")
    assert worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > DRAIN_SECONDS + 5
    assert BRIDGE_DRAIN_SECONDS < DRAIN_SECONDS
    assert CONSOLE_DRAIN_SECONDS < DRAIN_SECONDS
    for name, waits in (("bridge-http", 5), ("bridge-sqs", 0), ("console", 5)):
        bridge = one(documents, "Deployment", name)
        hook = container(bridge).get("lifecycle", {}).get("preStop", {})
        assert hook.get("sleep", {}).get("seconds", 0) == waits
        grace = bridge["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace > waits + DRAIN_SECONDS + 5


def test_only_a_process_that_answers_nothing_is_killed(chart: Chart) -> None:
    """A worker that restores, or whose Kafka or API is away, answers /healthz; what it is not able
    to do it says at /readyz."""
    probed = [each for each in containers(chart.render(EVERYTHING)) if each["name"] != "topics"]
    assert len(probed) == 4
    for each in probed:
        paths = {
            kind: each[kind]["httpGet"]["path"]
            for kind in ("startupProbe", "livenessProbe", "readinessProbe")
        }
        assert paths == {
            "startupProbe": "/healthz",
            "livenessProbe": "/healthz",
            "readinessProbe": "/readyz",
        }
        alive = each["livenessProbe"]
        assert alive["periodSeconds"] * alive["failureThreshold"] >= 60
        start = each["startupProbe"]
        assert start["periodSeconds"] * start["failureThreshold"] >= 120


def test_a_bridge_is_replaced_before_it_is_stopped(chart: Chart) -> None:
    bridge = one(chart.render(), "Deployment")
    assert bridge["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_the_topics_are_there_before_the_programs(chart: Chart) -> None:
    """A hook that runs first can use nothing that the chart makes."""
    documents = chart.render(EVERYTHING)
    job = one(documents, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    spec = job["spec"]["template"]["spec"]
    made = {(each["kind"], each["metadata"]["name"]) for each in documents}
    assert ("ServiceAccount", spec["serviceAccountName"]) not in made
    named = json.dumps(spec)
    assert not any(kind in ("ConfigMap", "Secret") and name in named for kind, name in made)
