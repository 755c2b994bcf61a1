"""What the containers' variables are: settings of the program, and no secret among them."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
from pydantic import SecretStr

from streams.kafka.secret import Secret
from streams.settings import Settings
from tests.helm.matrix import CONSOLE, EVERYTHING, KAFKA_LOCKED, KAFKA_TLS, MATRIX, SQS
from tests.support.chart import Chart, Document, Refused, containers, one

SETTINGS = {name.upper() for name in Settings.model_fields}
SECRETS = {
    name.upper()
    for name, field in Settings.model_fields.items()
    if SecretStr in get_args(field.annotation)
}

# Variables of libraries, which the program reads through them.
OF_LIBRARIES = re.compile(r"(AWS(?!_REGION$)|OTEL)_\w+|(HTTPS?|ALL|NO)_PROXY")


def variables(container: Document) -> dict[str, Any]:
    """Each variable once, with its text or where it comes from."""
    given = [(each["name"], each.get("value", each.get("valueFrom"))) for each in container["env"]]
    assert len(dict(given)) == len(given), "a variable that is there twice"
    return dict(given)


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_every_variable_is_a_setting_and_no_secret_is_written_out(
    chart: Chart, values: tuple[Document, ...]
) -> None:
    documents = chart.render(*values)
    assert "Secret" not in {each["kind"] for each in documents}
    for container in containers(documents):
        given = variables(container)
        assert given.keys() <= SETTINGS
        for name in given.keys() & SECRETS:
            assert given[name].keys() == {"secretKeyRef"}


@pytest.mark.parametrize("secret", sorted(SECRETS))
@pytest.mark.parametrize("where", ["settings", "secrets"])
def test_a_secret_in_the_place_of_a_reference_is_refused(
    chart: Chart, secret: str, where: str
) -> None:
    given: Document = {where: {secret: "hush"}}
    with pytest.raises(Refused) as refused:
        chart.render(given, {"worker": given, "bridge": {"http": given}})
    assert str(refused.value).count(secret) == 3
    assert "hush" not in str(refused.value)


def test_the_worker_takes_its_settings_as_they_are_given(
    chart: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers, switches and texts reach the program as what they are."""
    given: Document = {
        "DURATION_THRESHOLD_MS": 45_000_000,
        "DEAD_LETTER_LIMIT": 0.25,
        "STATE_TTL_SECONDS": 1_000_000,
        "DRY_RUN": True,
        "FETCH_POLICY": "always",
        "DISPOSITION_CODE_ID": "0123",
        "KAFKA_SESSION_TIMEOUT_SECONDS": 30,
    }
    documents = chart.render(KAFKA_LOCKED, {"worker": {"settings": given}})
    settings = started(one(documents, "StatefulSet"), monkeypatch)
    assert {name: getattr(settings, name.lower()) for name in given} == given
    assert settings.kafka_security_protocol == "SASL_SSL"
    assert settings.kafka_bootstrap_servers == "kafka-1.example.com:9093,kafka-2.example.com:9093"
    assert settings.worker_instance_id == "r-genesys-streams-worker-0"
    host = "r-genesys-streams-worker-0.r-genesys-streams-worker.calls.svc"
    assert settings.advertised_url() == f"http://{host}:6066"
    assert settings.genesys().client_secret == "from genesys-cloud/client-secret"
    assert settings.worker_api_keys() == ("from genesys-streams-worker/api-key",)


def test_certificates_are_where_the_variables_say(chart: Chart) -> None:
    for container in containers(chart.render(SQS, KAFKA_TLS)):
        (mount,) = [each for each in container["volumeMounts"] if each["name"] == "kafka-tls"]
        files = {
            name: path
            for name, path in variables(container).items()
            if name.startswith("KAFKA_SSL_")
        }
        assert files == {
            "KAFKA_SSL_CAFILE": f"{mount['mountPath']}/ca.crt",
            "KAFKA_SSL_CERTFILE": f"{mount['mountPath']}/tls.crt",
            "KAFKA_SSL_KEYFILE": f"{mount['mountPath']}/tls.key",
        }


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_bridge_and_topics_start_with_theirs(
    chart: Chart, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = started(one(chart.render(KAFKA_LOCKED), kind), monkeypatch)
    assert settings.kafka.sasl_password == Secret("from kafka/password")
    if kind == "Deployment":
        assert settings.bridge_api_keys() == ("from genesys-streams-bridge/api-key",)
        assert (settings.bridge_host, settings.bridge_port) == ("0.0.0.0", 8080)


def started(workload: Document, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that its program reads, with Kubernetes' part done."""
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    pod = {"metadata.name": f"{workload['metadata']['name']}-0"}
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    known: dict[str, str] = {}
    for name, value in variables(container).items():
        if isinstance(value, str):
            # Kubernetes fills in what was named further up, and leaves the rest as it is.
            known[name] = re.sub(r"\$\((\w+)\)", lambda at: known.get(at[1], at[0]), value)
        elif "fieldRef" in value:
            known[name] = pod[value["fieldRef"]["fieldPath"]]
        else:
            known[name] = f"from {value['secretKeyRef']['name']}/{value['secretKeyRef']['key']}"
        monkeypatch.setenv(name, known[name])
    return Settings.load(_env_file=None)


def test_the_console_has_in_common_with_the_workers_what_it_must(
    chart: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: Document = {
        "APP_ID": "calls",
        "TOPIC_PREFIX": "calls.",
        "DURATION_THRESHOLD_MS": 45_000,
        "GENESYS_REQUESTS_PER_MINUTE": 1_000,
    }
    documents = chart.render(KAFKA_LOCKED, CONSOLE, {"worker": {"settings": shared}})
    deployment = one(documents, "Deployment", "console")
    settings = started(deployment, monkeypatch)
    assert {name: getattr(settings, name.lower()) for name in shared} == shared
    assert settings.console_api_keys() == ("from genesys-streams-console/api-key",)
    assert settings.look_up_keys() == ("from genesys-streams-worker/api-key",)
    service = one(documents, "Service", "worker")
    (port,) = service["spec"]["ports"]
    host = f"{service['metadata']['name']}.calls.svc"
    assert settings.console_worker_urls() == (f"http://{host}:{port['port']}",)
    assert (settings.console_host, str(settings.data_dir)) == ("0.0.0.0", "/data")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": settings.console_port}]

    given = {"settings": {"DURATION_THRESHOLD_MS": 1, "WORKER_URLS": "http://other:6066"}}
    own = one(
        chart.render(CONSOLE, {"worker": {"settings": shared}, "console": given}),
        "Deployment",
        "console",
    )
    settings = started(own, monkeypatch)
    assert settings.duration_threshold_ms == 1
    assert settings.console_worker_urls() == ("http://other:6066",)


def test_the_console_knows_no_secret_of_genesys_cloud(chart: Chart) -> None:
    (console,) = [each for each in containers(chart.render(CONSOLE)) if each["name"] == "console"]
    assert not variables(console).keys() & {
        "GENESYS_CLOUD_CLIENT_ID",
        "GENESYS_CLOUD_CLIENT_SECRET",
        "BRIDGE_API_KEY",
    }


def test_a_bridge_knows_nothing_of_genesys_cloud(chart: Chart) -> None:
    for container in containers(chart.render(SQS)):
        if container["name"] != "worker":
            assert "GENESYS" not in json.dumps(container)


def test_variables_of_libraries_may_be_set(chart: Chart) -> None:
    given = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318",
        "AWS_PROFILE": "calls",
        "HTTPS_PROXY": "http://proxy:3128",
    }
    for container in containers(chart.render(EVERYTHING, {"settings": given})):
        found = {name: text for name, text in variables(container).items() if name in given}
        assert found == given
        assert all(OF_LIBRARIES.fullmatch(name) for name in found)
