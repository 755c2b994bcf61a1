"""What consumers get: the outcome's fields and headers, the dead letter's, the metrics."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer, StatusCode

from streams.clock import rfc3339
from streams.core.decision import Policy
from streams.core.records import Source
from streams.errors import ApiError, Conflict, Forbidden, NotFound, OwnershipLost, PublishError
from streams.timestamps import epoch_ms
from streams.wire.outcomes import outcome_id
from tests.support.incarnation import Worker, samples
from tests.support.schemas import validator
from tests.support.world import (
    CODE,
    EVENTS,
    RETRIES,
    TOPICS,
    World,
    event,
    lost_once_applied,
    raising,
)

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def said(world: World) -> dict[str, Any]:
    """The last outcome, as a consumer reads it."""
    value = world.sent[-1].value
    assert value is not None
    outcome: dict[str, Any] = json.loads(value)
    return outcome


def call(method: str, at: str) -> dict[str, object]:
    return {
        "at": at,
        "method": method,
        "status": 200,
        "error": None,
        "waitedMs": 0.0,
        "tookMs": 0.0,
        "correlationId": None,
    }


async def test_every_field_of_a_patched_record() -> None:
    world = World()
    worker = Worker(world)
    world.clock.now += 2.5
    occurred = rfc3339(world.clock.time() - 60)
    taken_up_at = world.clock.now

    def take_time(_: int, step: str) -> None:
        if step == "PATCH leaves":
            world.clock.now = taken_up_at + 0.25

    world.at_step = take_time

    await worker.process(event("007", time=occurred), 12, headers=(("traceparent", PARENT),))

    decided_at = rfc3339(world.clock.time())
    assert said(world) == {
        "schemaVersion": 1,
        "outcomeId": outcome_id(Source(EVENTS.topic, EVENTS.partition, 12)),
        "final": True,
        "interactionId": "i-1",
        "sequenceId": "007",
        "eventId": "event-007",
        "decision": "patched",
        "reason": "eligible",
        "basis": "api",
        "dryRun": False,
        "dispositionCodeId": CODE,
        "patchStatus": 200,
        "recovered": False,
        "apiCalls": 2,
        "attempts": 1,
        "durationMs": 60_000,
        "eventTime": occurred,
        "decidedAt": decided_at,
        "latencyMs": 250.0,
        "endToEndMs": pytest.approx(60_250.0, abs=1.01),
        "source": {"topic": EVENTS.topic, "partition": 3, "offset": 12},
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "error": None,
        "nextAt": None,
        "calls": [
            call("GET", "2025-12-12T15:15:07.000Z"),
            call("PATCH", "2025-12-12T15:15:07.001Z"),
        ],
        "leg": None,
    }


async def test_every_header() -> None:
    world = World()

    await Worker(world).process(event(), 12, headers=(("traceparent", PARENT),))

    headers = world.sent[-1].named
    traceparent = headers.pop("traceparent")
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": said(world)["outcomeId"],
        "ce_source": "/genesys-streams/test-app",
        "ce_type": "genesys.interaction.outcome.v1",
        "ce_subject": "i-1",
        "ce_time": said(world)["decidedAt"],
        "content-type": "application/json",
        "worker.generation": "1",
    }
    version, trace_id, span_id, flags = traceparent.split("-")
    assert (version, trace_id, flags) == ("00", "4bf92f3577b34da6a3ce929d0e0e4736", "01")
    assert span_id != "00f067aa0ba902b7"


async def test_outcome_is_keyed_by_the_interaction() -> None:
    """Whatever key another producer has given the event."""
    world = World()

    await Worker(world).process(event(), key=None)

    assert (world.sent[-1].topic, world.sent[-1].key) == (TOPICS.outcomes, b"i-1")


async def test_an_event_without_a_time_counts_from_its_record() -> None:
    world = World()

    await Worker(world).process(event(time="no time"))

    assert epoch_ms(said(world)["eventTime"]) == pytest.approx(world.clock.time() * 1000, abs=1)
    assert said(world)["endToEndMs"] == pytest.approx(0, abs=1)


async def test_a_record_without_a_trace_starts_one() -> None:
    world = World()

    await Worker(world).process(event())

    trace_id = said(world)["traceId"]
    assert len(trace_id) == 32
    assert set(trace_id) <= set("0123456789abcdef")
    assert world.sent[-1].named["traceparent"].split("-")[1] == trace_id


async def test_no_trace_id_without_tracing() -> None:
    world = World()

    await Worker(world, tracer=NoOpTracer()).process(event())

    assert said(world)["traceId"] is None


@pytest.mark.parametrize("traceparent", [b"", b"\xff\xfe", b"00-zz-zz-01", PARENT[:-10]])
async def test_a_header_that_is_no_trace_stops_nothing(traceparent: bytes) -> None:
    world = World()

    await Worker(world).process(event(), headers=(("traceparent", traceparent), ("x", b"\x00")))

    assert said(world)["decision"] == "patched"


FORBIDDEN = Forbidden(
    "give it the scope", status=403, code="missing.permissions", correlation_id="c-1"
)


async def test_an_error_is_published_in_full() -> None:
    world = World()
    world.patches.append(raising(FORBIDDEN))

    await Worker(world).process(event())

    assert said(world)["error"] == {
        "code": "missing.permissions",
        "message": "give it the scope",
        "status": 403,
        "correlationId": "c-1",
    }
    assert (said(world)["decision"], said(world)["patchStatus"]) == ("failed", 403)


def scenario(world: World, name: str) -> tuple[bytes | None, Policy | None]:
    if name == "malformed":
        return b"\x00", None
    if name == "would-patch":
        return event(), Policy(code=None, dry_run=True)
    if name == "ineligible":
        return event(interactionType="chat", state="completed"), None
    if name == "recovered":
        world.patches.append(lost_once_applied)
    if name in ERRORS:
        world.fetches.append(raising(ERRORS[name]))
    return event(), None


ERRORS: dict[str, ApiError] = {
    "forbidden": FORBIDDEN,
    "not-found": NotFound("gone", status=404),
    "conflict": Conflict("changed", status=409),
}


@pytest.mark.parametrize(
    "name", ["patched", "malformed", "would-patch", "ineligible", "recovered", *ERRORS]
)
async def test_every_outcome_is_as_its_schema_says(name: str) -> None:
    world = World()
    value, policy = scenario(world, name)

    await Worker(world, policy=policy).process(value)

    validator("outcome").validate(said(world))


async def test_dead_letter_headers() -> None:
    world = World()
    world.fetches.append(raising(FORBIDDEN))

    await Worker(world).process(event(), 12, headers=(("traceparent", PARENT),))

    (letter,) = world.dead_letters
    named = letter.named
    assert named.pop("traceparent").split("-")[1] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert named == {
        "dlq.schema-version": "1",
        "dlq.reason": "forbidden",
        "dlq.message": "give it the scope",
        "dlq.stage": "worker",
        "dlq.attempts": "1",
        "dlq.failed-at": said(world)["decidedAt"],
        "dlq.source.topic": EVENTS.topic,
        "dlq.source.partition": "3",
        "dlq.source.offset": "12",
    }


async def test_metrics() -> None:
    world = World()
    worker = Worker(world)

    await worker.process(event(), 0)
    await worker.process(event(), 1)
    await worker.process(b"no event", 2)

    found = samples(worker.metrics)
    assert found["genesys_streams_records_total"] == 3
    assert found["genesys_streams_process_duration_seconds_count"] == 3
    assert found["genesys_streams_dead_letters_total"] == 1
    by_decision = {
        sample.labels["decision"]: sample.value
        for metric in worker.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "genesys_streams_records_total"
    }
    assert by_decision == {"patched": 1, "duplicate": 1, "failed": 1}


# The record's span when something goes wrong


class Spans:
    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def status(self, name: str) -> StatusCode:
        return self._span(name).status.status_code

    def error_type(self, name: str) -> object:
        return (self._span(name).attributes or {}).get("error.type")

    def _span(self, name: str) -> ReadableSpan:
        (span,) = (span for span in self._exporter.get_finished_spans() if span.name == name)
        return span


@pytest.mark.parametrize("name", ["patched", "ineligible", "not-found", "conflict", "recovered"])
async def test_what_is_decided_as_it_should_is_no_error(name: str) -> None:
    world, spans = World(), Spans()
    value, policy = scenario(world, name)

    await Worker(world, policy=policy, tracer=spans.tracer).process(value)

    assert spans.status(f"process {EVENTS.topic}") is StatusCode.UNSET


async def test_a_lost_partition_is_no_error() -> None:
    world, spans = World(), Spans()
    worker = Worker(world, tracer=spans.tracer)
    worker.assignment.revoke()

    with pytest.raises(OwnershipLost):
        await worker.process(event())

    assert spans.status(f"process {EVENTS.topic}") is StatusCode.UNSET


async def test_kafka_that_does_not_acknowledge_is_an_error() -> None:
    world, spans = World(), Spans()

    def refuse(_: int, step: str) -> None:
        if step == "outcome leaves":
            raise PublishError("no in-sync replicas")

    world.at_step = refuse

    with pytest.raises(PublishError):
        await Worker(world, tracer=spans.tracer).process(event())

    assert spans.status(f"process {EVENTS.topic}") is StatusCode.ERROR
    assert spans.error_type(f"process {EVENTS.topic}") == "PublishError"
    assert spans.status(f"publish {TOPICS.outcomes}") is StatusCode.ERROR
    assert "finished 0" not in world.journal


async def test_an_outcome_of_its_own_that_is_not_acknowledged_is_an_error() -> None:
    world, spans = World(), Spans()

    def refuse(_: int, step: str) -> None:
        if step == "outcome leaves":
            raise PublishError("no in-sync replicas")

    world.at_step = refuse

    with pytest.raises(PublishError):
        await Worker(world, tracer=spans.tracer).process(b"no event")

    assert spans.error_type(f"publish {TOPICS.outcomes}") == "PublishError"


async def test_the_span_of_an_outcome_of_its_own_ends_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spans = Spans()
    await Worker(World(), tracer=spans.tracer).process(b"no event")
    assert spans.status(f"publish {TOPICS.outcomes}") is StatusCode.UNSET
    # The SDK would warn of each one.
    assert [each for each in caplog.records if each.name.startswith("opentelemetry")] == []


async def test_a_dead_letter_without_an_outcome_is_an_error() -> None:
    """Another producer has put into ``retries`` what is no event."""
    world, spans = World(), Spans()
    worker = Worker(world, tracer=spans.tracer)
    worker.retries.take_up(0)
    record = replace(
        worker.take_up(b"no event"), tp=RETRIES, source=Source(RETRIES.topic, RETRIES.partition, 0)
    )
    await worker.processor.process(record)
    assert [each.topic for each in world.sent] == [TOPICS.dead_letters]
    assert spans.status(f"process {RETRIES.topic}") is StatusCode.ERROR
    assert spans.error_type(f"process {RETRIES.topic}") == "malformed-event"
