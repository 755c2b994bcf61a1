"""The AsyncAPI document: whole, and at one with topics.yaml, the schemas and the program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from streams.core.records import Decision, Reason, Source
from streams.kafka.declaration import declared_directory, load_declaration
from streams.settings import Settings
from streams.wire.dead_letters import DeadLetter, Stage
from streams.wire.events import RECEIVED_AT

TOPICS = declared_directory()
DOCUMENT: dict[str, Any] = yaml.safe_load((TOPICS / "asyncapi.yaml").read_text())
CHANNELS: dict[str, dict[str, Any]] = DOCUMENT["channels"]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def resolve(reference: str) -> Any:
    file, _, pointer = reference.partition("#")
    node: Any = json.loads((TOPICS / file).read_text()) if file else DOCUMENT
    for step in pointer.strip("/").split("/") if pointer else ():
        node = node[step]
    return node


def messages(channel: str) -> list[dict[str, Any]]:
    return [resolve(each["$ref"]) for each in CHANNELS[channel]["messages"].values()]


def test_is_asyncapi_3_and_says_what_it_is() -> None:
    assert DOCUMENT["asyncapi"] == "3.1.0"
    assert DOCUMENT["info"].keys() >= {"title", "version", "description"}


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    for reference in found:
        assert resolve(reference) is not None
    referred = {reference.rpartition("/")[2] for reference in found if reference.startswith("./")}
    assert referred == {path.name for path in (TOPICS / "schemas").iterdir()}


def test_channels_are_the_declared_topics(make_settings: Callable[..., Settings]) -> None:
    names = ("topic_prefix", "app_id")
    defaults = {name: Settings.model_fields[name].default for name in names}
    declaration = load_declaration(make_settings(**defaults).kafka)
    declared = {topic.name: topic for topic in declaration.topics}
    assert {channel["address"] for channel in CHANNELS.values()} == declared.keys()
    for channel in CHANNELS.values():
        topic, binding = declared[channel["address"]], channel["bindings"]["kafka"]
        config = {
            key: ",".join(value) if isinstance(value, list) else str(value)
            for key, value in binding["topicConfiguration"].items()
        }
        assert (binding["partitions"], binding["replicas"]) == (
            topic.partitions,
            topic.replication_factor,
        )
        assert config == topic.config


@pytest.mark.parametrize("name", CHANNELS)
def test_every_channel_says_what_a_consumer_has_to_know(name: str) -> None:
    channel = CHANNELS[name]
    description = channel["description"].replace("Partition", "partition")
    for point in ("**Key**", "partition", "**Order**", "**Retention**"):
        assert point in description
    assert "**Duplicates**" in description or name == "interactionsChangelog"
    used = {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()}
    assert f"#/channels/{name}" in used
    assert all("key" in each["bindings"]["kafka"] for each in messages(name))


def test_every_decision_and_reason_is_explained() -> None:
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in CHANNELS["outcomes"]["description"].splitlines()
        if line.startswith("| `")
    ]
    assert {row[0] for row in rows} == {decision.value for decision in Decision}
    assert {row[1] for row in rows} == {reason.value for reason in Reason}
    pairing = json.loads((TOPICS / "schemas/outcome.schema.json").read_text())["$defs"]["pairing"]
    pairs = Draft202012Validator(pairing)
    for decision, reason, meaning in rows:
        assert pairs.is_valid({"decision": decision, "reason": reason})
        assert meaning
    listed = {(row[0], row[1]) for row in rows}
    assert all(
        (decision.value, reason.value) in listed
        for decision in Decision
        for reason in Reason
        if pairs.is_valid({"decision": decision, "reason": reason})
    )


@pytest.mark.parametrize("source", [None, Source("genesys.interaction.events", 3, 17)])
@pytest.mark.parametrize("stage", Stage)
def test_dead_letter_headers_are_those_that_are_written(
    source: Source | None, stage: Stage
) -> None:
    letter = DeadLetter(
        key=None,
        value=b"\xff",
        reason=Reason.MALFORMED.value,
        message="not UTF-8",
        stage=stage,
        attempts=1,
        failed_at="2025-12-12T15:15:07.657Z",
        source=source,
    )
    headers = {name: value.decode() for name, value in letter.headers()}
    (letters,) = messages("deadLetters")
    described = letters["headers"]
    resolved = {
        name: resolve(schema["$ref"]) if "$ref" in schema else schema
        for name, schema in described["properties"].items()
    }
    Draft202012Validator(
        described | {"properties": resolved, "additionalProperties": False}
    ).validate(headers)


def test_the_header_that_a_bridge_writes_is_documented() -> None:
    described = [each["headers"] for each in messages("events")]
    assert len(described) == 2
    for headers in described:
        assert RECEIVED_AT in headers["properties"]
        assert "required" not in headers, "other producers write none"
