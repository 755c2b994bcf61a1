"""What a call shows of itself: one span for each try, and never a secret."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from collections.abc import Iterator
from random import Random

import pytest
from aiohttp import web
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from prometheus_client import CollectorRegistry, generate_latest
from yarl import URL

from streams.errors import ApiError, ApiTimeout, NotFound
from streams.genesys.api import CallContext
from streams.genesys.client import open_client
from streams.worker.metrics import WorkerMetrics
from tests.support.scripted import (
    CLIENT_ID,
    CLIENT_SECRET,
    LeapingClock,
    Reply,
    ScriptedGenesys,
    connected,
    drop,
    reply,
    settings_for,
    until,
)

CREDENTIALS = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider.get_tracer("test")
    provider.shutdown()


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_a_span_for_each_try_as_the_http_conventions_have_it(
    genesys: ScriptedGenesys, clock: LeapingClock, exporter: InMemorySpanExporter, tracer: Tracer
) -> None:
    genesys.script.append(reply(503))
    async with connected(genesys, clock=clock, tracer=tracer) as client:
        with tracer.start_as_current_span("process"):
            await client.fetch("i-1", CallContext())
            await client.set_disposition("i-1", "code-1", None, CallContext())
    failed, read, patched, process = exporter.get_finished_spans()
    base = URL(genesys.url)
    common = {
        "server.address": "127.0.0.1",
        "server.port": base.port,
        "url.full": f"{genesys.url}/api/v2/interactions/i-1",
        "url.template": "/api/v2/interactions/{id}",
    }
    assert attributes(failed) == common | {
        "http.request.method": "GET",
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert attributes(read) == common | {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.request.resend_count": 1,
    }
    assert attributes(patched) == common | {
        "http.request.method": "PATCH",
        "http.response.status_code": 200,
    }
    assert [span.name for span in (failed, read, patched)] == ["GET", "GET", "PATCH"]
    assert {span.kind for span in (failed, read, patched)} == {SpanKind.CLIENT}
    assert failed.status.status_code is StatusCode.ERROR
    assert read.status.status_code is StatusCode.UNSET
    for span, request in zip((failed, read, patched), genesys.received, strict=True):
        assert span.parent is not None
        assert span.parent.span_id == process.context.span_id
        ids = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}"
        assert request.headers["traceparent"] == f"{ids}-{span.context.trace_flags:02x}"
        assert span.events == ()


async def test_a_try_without_an_answer_names_its_error(
    genesys: ScriptedGenesys, clock: LeapingClock, exporter: InMemorySpanExporter, tracer: Tracer
) -> None:
    genesys.script.append(genesys.hang)
    async with connected(genesys, clock=clock, tracer=tracer, timeout=0.1) as client:
        with pytest.raises(ApiTimeout):
            await client.set_disposition("i-1", "code-1", None, CallContext())
    (span,) = exporter.get_finished_spans()
    assert attributes(span)["error.type"] == "ApiTimeout"
    assert "http.response.status_code" not in attributes(span)
    assert span.status.status_code is StatusCode.ERROR


async def test_a_try_that_is_cancelled_says_so(
    genesys: ScriptedGenesys, clock: LeapingClock, exporter: InMemorySpanExporter, tracer: Tracer
) -> None:
    genesys.script.append(genesys.hang)
    async with connected(genesys, clock=clock, tracer=tracer) as client:
        lane = asyncio.create_task(client.fetch("i-1", CallContext()))
        await until(lambda: len(genesys.received) == 1)
        lane.cancel()
        await asyncio.wait([lane])
    (span,) = exporter.get_finished_spans()
    assert attributes(span)["error.type"] == "CancelledError"


async def test_a_4xx_is_an_error_of_the_call(
    genesys: ScriptedGenesys, clock: LeapingClock, exporter: InMemorySpanExporter, tracer: Tracer
) -> None:
    genesys.usual = reply(404)
    async with connected(genesys, clock=clock, tracer=tracer) as client:
        with pytest.raises(NotFound):
            await client.fetch("i-1", CallContext())
    (span,) = exporter.get_finished_spans()
    assert attributes(span)["error.type"] == "404"


def echo(status: int) -> Reply:
    """The worst of error pages: it repeats the request's credentials."""

    async def answer(request: web.Request) -> web.StreamResponse:
        said = f"{CLIENT_SECRET} {request.headers['Authorization']}"
        if request.path != "/oauth/token":
            said = request.headers["Authorization"]
        return await reply(status, {"code": "x", "message": said, "contextId": "ctx"})(request)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        *[echo(status) for status in (302, 400, 401, 403, 404, 409, 429, 500)],
        reply(200, b"no json"),
        drop,
        None,
    ],
)
async def test_no_secret_and_no_token_in_errors_logs_spans_and_metrics(
    *,
    genesys: ScriptedGenesys,
    clock: LeapingClock,
    exporter: InMemorySpanExporter,
    tracer: Tracer,
    caplog: pytest.LogCaptureFixture,
    answer: Reply | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    genesys.usual = answer or genesys.hang
    genesys.token_script.append(echo(503))
    metrics = WorkerMetrics(CollectorRegistry())
    async with open_client(
        settings_for(genesys, timeout=0.2),
        in_flight=1,
        observer=metrics,
        clock=clock,
        random=Random(7),
        tracer=tracer,
    ) as client:
        shown = [repr(client), repr(settings_for(genesys))]
        with pytest.raises(ApiError) as caught:
            await client.fetch("i-1", CallContext())
    shown += ["".join(traceback.format_exception(caught.value)), repr(vars(caught.value))]
    shown += [span.to_json() for span in exporter.get_finished_spans()]
    shown += [repr(vars(record)) for record in caplog.records]
    shown.append(generate_latest(metrics.registry).decode())
    everything = "".join(shown)
    assert "correlation_id" in everything
    for secret in ("t0k3n", CLIENT_SECRET, CREDENTIALS):
        assert secret not in everything
