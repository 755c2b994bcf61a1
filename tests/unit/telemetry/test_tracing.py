"""Trace ids always, exporters only when asked for, context through Kafka headers."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

from streams import __version__
from streams.errors import SettingsError
from streams.telemetry.tracing import configure, extract_context, inject_context, shutdown

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01".encode()


@pytest.fixture(autouse=True)
def global_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TracerProvider]]:
    """A process has one provider, set once; a test that sets its own leaves none behind."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    made: list[TracerProvider] = []
    monkeypatch.setattr(trace, "set_tracer_provider", made.append)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: made[-1])
    # No export outlives its test: its retries draw on the `random` module, which Hypothesis takes
    # for the doing of whatever test runs by then.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    yield made
    for provider in made:
        provider.shutdown()
    for thread in threading.enumerate():
        if thread.name == "last-spans":
            thread.join(10)
            assert not thread.is_alive()


def exporters(provider: TracerProvider) -> list[type]:
    processors = provider._active_span_processor._span_processors
    return [type(processor.span_exporter) for processor in processors]  # type: ignore[attr-defined]


def trace_id(context: Context) -> str:
    return f"{trace.get_current_span(context).get_span_context().trace_id:032x}"


def test_without_any_variable_spans_have_ids_and_go_nowhere(
    global_provider: list[TracerProvider],
) -> None:
    provider = configure("genesys-streams-worker", "w-1")
    assert global_provider == [provider]
    assert exporters(provider) == []
    with provider.get_tracer("test").start_as_current_span("process") as span:
        assert span.get_span_context().is_valid
        assert span.get_span_context().trace_flags.sampled
    attributes = dict(provider.resource.attributes)
    assert attributes["service.name"] == "genesys-streams-worker"
    assert attributes["service.instance.id"] == "w-1"
    assert attributes["service.version"] == __version__


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp"}, [OTLPSpanExporter]),
        ({"OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "Console, otlp"}, [ConsoleSpanExporter, OTLPSpanExporter]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, [OTLPSpanExporter]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/x"}, [OTLPSpanExporter]),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
            [],
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            [OTLPSpanExporter],
        ),
    ],
)
def test_exporters_are_those_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: list[type]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert exporters(configure("bridge")) == expected


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ),
    ],
)
def test_what_is_not_built_in_is_a_setting_that_is_wrong(
    *,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    named: str,
    global_provider: list[TracerProvider],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{named}: "):
        configure("bridge")
    assert global_provider == []


def test_the_sdk_s_own_variables_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=i,team=voice")
    attributes = dict(configure("bridge", "w-1").resource.attributes)
    assert attributes["service.name"] == "mine"
    assert attributes["service.instance.id"] == "i"
    assert attributes["team"] == "voice"


def test_the_env_file_stands_behind_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("OTEL_TRACES_EXPORTER=carrier-pigeon\nPATH=nowhere\n")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    path = os.environ["PATH"]
    configure("test")
    monkeypatch.delenv("OTEL_TRACES_EXPORTER")
    with pytest.raises(SettingsError, match="carrier-pigeon"):
        configure("test")
    assert os.environ["PATH"] == path


def test_a_collector_that_does_not_answer_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}"
        )
        provider = configure("bridge")
        provider.get_tracer("test").start_span("x").end()
        started = time.monotonic()
        shutdown(0.3)
        assert time.monotonic() - started < 2
    assert "is the collector up?" in caplog.text


def test_shutdown_exports_what_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    provider = configure("bridge")
    provider.get_tracer("test").start_span("the last one").end()
    shutdown()
    printed = capsys.readouterr()
    assert "the last one" in printed.err
    assert printed.out == ""


def test_shutdown_without_tracing_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", trace.ProxyTracerProvider)
    shutdown()


def test_a_context_goes_through_kafka_and_comes_back() -> None:
    provider = configure("bridge")
    with provider.get_tracer("test").start_as_current_span("publish") as span:
        headers = inject_context()
    assert [name for name, _ in headers] == ["traceparent"]
    sent, received = span.get_span_context(), extract_context(headers)
    back = trace.get_current_span(received).get_span_context()
    assert (back.trace_id, back.span_id) == (sent.trace_id, sent.span_id)
    assert back.is_remote
    assert inject_context(received) == headers


def test_a_trace_state_goes_with_it() -> None:
    headers = [("traceparent", TRACEPARENT), ("tracestate", b"vendor=1")]
    assert inject_context(extract_context(headers)) == headers


def test_outside_of_a_span_there_is_nothing_to_inject() -> None:
    assert inject_context() == []


@pytest.mark.parametrize(
    "headers",
    [
        [("other", b"\xff"), ("traceparent", TRACEPARENT)],
        [("traceparent", b"garbage"), ("traceparent", TRACEPARENT)],
        [("Traceparent", TRACEPARENT)],
        {"traceparent": TRACEPARENT},
    ],
)
def test_the_last_traceparent_counts(
    headers: list[tuple[str, bytes | None]] | dict[str, bytes | None],
) -> None:
    assert trace_id(extract_context(headers)) == TRACE_ID


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        {},
        [("traceparent", None)],
        [("traceparent", b"")],
        [("traceparent", b"\xff\xfe")],
        [("traceparent", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01")],
        [("traceparent", TRACEPARENT), ("traceparent", b"garbage")],
        [("tracestate", b"vendor=1")],
    ],
)
def test_headers_without_a_context_that_can_be_read_start_a_trace_of_their_own(
    headers: list[tuple[str, bytes | None]] | None,
) -> None:
    provider = configure("worker")
    with provider.get_tracer("test").start_as_current_span("unrelated"):
        context = extract_context(headers)
    assert not trace.get_current_span(context).get_span_context().is_valid


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["traceparent", "tracestate"]) | st.text(), st.binary() | st.none()
        )
    )
)
def test_no_header_is_too_broken(headers: list[tuple[str, bytes | None]]) -> None:
    extract_context(headers)
