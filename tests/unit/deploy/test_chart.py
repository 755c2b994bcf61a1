"""The Helm chart's values against the program that they are for. That needs no Helm; what the chart
renders is looked at in ``tests/helm``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from streams import __version__
from streams.kafka.declaration import load_declaration
from streams.settings import Settings
from tests.support.chart import CHART
from tests.support.documents import ROOT

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())

# What the chart sets itself, for it has to fit the pods.
CHARTS_OWN = {
    *("BRIDGE_HOST", "BRIDGE_PORT", "BRIDGE_QUEUE_URL", "DATA_DIR", "WORKER_HOST", "WORKER_PORT"),
    *("CONSOLE_HOST", "CONSOLE_PORT"),
    *("WORKER_ADVERTISED_URL", "WORKER_INSTANCE_ID"),
    *("KAFKA_SSL_CAFILE", "KAFKA_SSL_CERTFILE", "KAFKA_SSL_KEYFILE"),
    # Pods speak plain HTTP: to the Ingress, which has TLS, to probes and to Prometheus.
    *("BRIDGE_SSL_CERTFILE", "BRIDGE_SSL_KEYFILE", "WORKER_SSL_CAFILE"),
    *("WORKER_SSL_CERTFILE", "WORKER_SSL_KEYFILE"),
    *("CONSOLE_SSL_CERTFILE", "CONSOLE_SSL_KEYFILE"),
}

# Read by libraries, not by Settings.
OF_LIBRARIES = re.compile(r"(AWS(?!_REGION$)|OTEL)_\w+|(HTTPS?|ALL|NO)_PROXY")

TYPES = {bool: "boolean", int: "integer", float: "number"}


def schema_of(annotation: Any) -> bool | dict[str, Any]:
    """What the schema says of a setting: its JSON type, or false for a secret, which is given by
    reference."""
    parts = [each for each in get_args(annotation) if each is not NoneType]
    if SecretStr in parts:
        return False
    plain = annotation if not parts or get_origin(annotation) is Literal else parts[0]
    return {"type": [TYPES.get(plain, "string"), "null"]}


def test_every_setting_of_the_program_can_be_set_and_no_other() -> None:
    """For a new setting add it to `$defs.settings` of values.schema.json, or set it in a template
    and name it in CHARTS_OWN."""
    wanted = {
        name.upper(): schema_of(field.annotation)
        for name, field in Settings.model_fields.items()
        if name.upper() not in CHARTS_OWN
    }
    given = SCHEMA["$defs"]["settings"]["properties"]
    assert {name: each for name, each in given.items() if not OF_LIBRARIES.fullmatch(name)} == (
        wanted
    )


def test_what_the_chart_sets_itself_are_settings() -> None:
    assert {field.upper() for field in Settings.model_fields} >= CHARTS_OWN


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"]
)
def test_secrets_of_libraries_come_by_reference_too(name: str) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid({"settings": {name: "hush"}})
    assert Draft202012Validator(SCHEMA).is_valid({"settings": {"AWS_REGION": "eu-central-1"}})


def test_the_schema_is_one_and_takes_the_defaults() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(VALUES)] == []


# Given by nobody who has no use for it: Helm's own, and lists of claims for hardware.
WITHOUT_DEFAULT = {"global", "claims"}


def test_every_value_that_the_schema_knows_has_a_default() -> None:
    """values.yaml is where an operator looks for what there is."""
    missing = [
        path
        for path in paths(SCHEMA)
        if not WITHOUT_DEFAULT & set(path) and not present(path, VALUES)
    ]
    assert missing == []
    assert sum(1 for _ in paths(SCHEMA)) > 100


def paths(schema: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every property of a schema, as the names that lead to it. Settings are not gone into: they
    have their defaults in the program."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in ("settings", "resources"):
            return
        schema = SCHEMA["$defs"][name]
    if above[-1:] == ("authenticationRef",):
        return
    for name, each in schema.get("properties", {}).items():
        yield (*above, name)
        yield from paths(each, (*above, name))


def present(path: tuple[str, ...], values: Any) -> bool:
    for name in path:
        if name not in values:
            return False
        values = values[name]
    return True


def test_the_chart_is_of_this_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert str(chart["appVersion"]) == __version__


def test_the_pods_run_as_the_images_user_on_the_images_paths() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    templates = (CHART / "templates" / "_pod.tpl").read_text()
    (user,) = re.findall(r"^USER (\d+):\d+$", dockerfile, re.MULTILINE)
    assert f"runAsUser: {user}\n" in templates
    assert f"fsGroup: {user}\n" in templates
    assert "DATA_DIR=/data" in dockerfile


def test_the_workers_are_capped_by_the_partitions_that_are_declared() -> None:
    settings = Settings.model_validate({}).kafka
    declared = {topic.name: topic for topic in load_declaration(settings).topics}
    assert VALUES["topics"]["partitions"] == declared[settings.topics.events].partitions
