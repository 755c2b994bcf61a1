"""What a span says: what the document has, by OpenTelemetry's conventions, and of no secret and
nobody's name."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import opentelemetry.semconv._incubating.attributes as developing
import opentelemetry.semconv.attributes as stable
import pytest

from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.route import Route
from streams.local.simulator.tokens import Client
from streams.settings import Settings
from tests.support.bridges import post
from tests.support.documents import ROOT
from tests.support.oracle import read_all
from tests.traces.cases import SETTINGS, event, ports, truth
from tests.traces.pipeline import pipeline
from tests.traces.span import Span
from tests.traces.store import TraceStore

pytestmark = pytest.mark.timeout(300)

DOCUMENT = ROOT / "docs" / "observability.md"

# How OTLP numbers the kinds of spans.
KINDS = {3: "client", 4: "producer", 5: "consumer"}

# What has not happened to any record here: its partition was given up, or Kafka away.
ELSEWHERE = {
    ("worker: process", "worker.ownership_lost"),
    ("worker: publish", "error.type"),
    ("bridge: publish", "error.type"),
}

SECRETS = {
    "genesys_cloud_client_secret": "secret-of-the-client",
    "bridge_api_key": "key-of-the-bridge",
    "worker_api_key": "key-of-the-worker",
}
OTLP_SECRET = "key-of-the-collector"

# About people: in events, in what Genesys Cloud says, in what is no event, in headers.
ABOUT_PEOPLE = {"name": "Erika Mustermann", "ani": "tel:+4930123456", "note": "hates waiting"}

FAULTS = FaultPlan(
    scripts=(
        Script((Fault(status=500), Fault(status=401)), "tried-again", Route.GET),
        Script((Fault(drop="before-apply"),), "cut-off", Route.GET),
        Script((Fault(status=400),), "refused", Route.PATCH),
    )
)


async def spans(
    settings: Settings, store: TraceStore, simulator: Simulator, directory: Path
) -> list[Span]:
    """Those of every kind, of calls and events that are full of people."""
    key = SECRETS["bridge_api_key"]
    headers = {"X_Api_Key": key, "baggage": f"name={ABOUT_PEOPLE['ani']}"}
    variables = {"OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={OTLP_SECRET}"}
    async with pipeline(settings, store, simulator, directory, **variables) as running:
        for call in ("patched", "tried-again", "cut-off", "refused"):
            await running.send(event(call, **ABOUT_PEOPLE), **headers)
        await running.send(event("patched", **ABOUT_PEOPLE), **headers)
        no_event = json.dumps(event("no call", **ABOUT_PEOPLE)).encode()
        assert (await post(running.bridge.url, no_event, **headers))[0] == 400
        await running.decided()
        running.end()
        kept = await read_all(running.settings, running.settings.topics.events)
        name = ABOUT_PEOPLE["name"].encode()
        assert all(name in (record.value or b"") for record in kept), "it was there to be told"
    return [span for trace in store.traces().values() for span in trace]


async def test_spans_say_what_is_documented_and_nothing_of_anybody(
    broker: object, store: TraceStore, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    calls = ("patched", "tried-again", "cut-off", "refused")
    simulator = Simulator(
        [truth(call, participants=[ABOUT_PEOPLE]) for call in calls],
        plan=FAULTS,
        client=Client("client", SECRETS["genesys_cloud_client_secret"]),
    )
    settings = make_settings(**(SETTINGS | SECRETS), **ports())
    found = await spans(settings, store, simulator, tmp_path)

    assert {(role(span), KINDS[span.kind]) for span in found} == documented_kinds()
    named = {(role(span), name) for span in found for name in span.attributes}
    assert named | ELSEWHERE == documented_names()
    assert named & ELSEWHERE == set()
    assert {name for _, name in documented_names()} - set(conventions()) == own_names()
    hold_conventions(found, settings)
    errors_are_marked(found)

    whole = json.dumps([[span.about, dict(span.resource)] for span in found])
    assert "aws.partner/genesys.com/test" in whole
    hidden = [*SECRETS.values(), OTLP_SECRET, *ABOUT_PEOPLE.values(), "Bearer", "Basic "]
    assert [secret for secret in hidden if secret in whole] == []


def role(span: Span) -> str:
    """What the document calls it: its program, and what it does."""
    program = span.service.removeprefix("genesys-streams-")
    return f"{program}: {'call' if KINDS[span.kind] == 'client' else span.name.split()[0]}"


def documented_kinds() -> set[tuple[str, str]]:
    """Each span of the document, with its kind."""
    return set(re.findall(r"^\| (\w+: \w+) \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE))


def documented_names() -> set[tuple[str, str]]:
    """Each span of the document, with each of its attributes."""
    rows = re.findall(r"^\| (`.*`) \| (\w+: .*) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {
        (of, name)
        for names, spans in rows
        for of in spans.split(", ")
        for name in re.findall(r"`([\w.]+)`", names)
    }


def own_names() -> set[str]:
    """What the document calls this program's own."""
    (sentence,) = re.findall(r"\*\*Ours\*\*:(.*?)\n\n", DOCUMENT.read_text(), re.DOTALL)
    return set(re.findall(r"`([\w.]+)`", sentence))


def conventions() -> Iterator[str]:
    """The name of every attribute that OpenTelemetry's conventions have."""
    for package in (stable, developing):
        for module in pkgutil.iter_modules(package.__path__):
            attributes = importlib.import_module(f"{package.__name__}.{module.name}")
            yield from (value for value in vars(attributes).values() if isinstance(value, str))


def hold_conventions(found: Iterable[Span], settings: Settings) -> None:
    """What the conventions require of a span of Kafka or HTTP, and the values that they allow."""
    for span in found:
        about: Mapping[str, object] = span.attributes
        assert {"service.name", "service.version", "telemetry.sdk.name"} <= span.resource.keys()
        if role(span) == "worker: call":
            assert span.name == about["http.request.method"]
            assert about["server.address"] == "127.0.0.1"
            assert about["url.full"] == f"http://127.0.0.1:{about['server.port']}" + str(
                about["url.template"]
            ).replace("{id}", call_of(str(about["url.full"])))
        else:
            operation = about["messaging.operation.name"]
            assert span.name == f"{operation} {about['messaging.destination.name']}"
            assert about["messaging.system"] == "kafka"
            kind = {"publish": "send", "process": "process"}[str(operation)]
            assert about["messaging.operation.type"] == kind
            assert re.fullmatch(r"\d+", str(about["messaging.destination.partition.id"]))
            assert isinstance(about["messaging.kafka.offset"], int)
            if kind == "process":
                assert about["messaging.consumer.group.name"] == settings.app_id


def call_of(url: str) -> str:
    return url.rpartition("/")[2]


def errors_are_marked(found: Iterable[Span]) -> None:
    """A span is an error exactly where it says of which type."""
    failed = {(role(span), span.attributes.get("error.type")) for span in found if span.failed}
    assert failed == {
        ("worker: call", "500"),
        ("worker: call", "401"),
        ("worker: call", "ConnectionLost"),
        ("worker: call", "400"),
        ("worker: process", "bad-request"),
    }
    assert [
        span.name for span in found if "error.type" in span.attributes and not span.failed
    ] == []
