"""Traces: a provider that always makes ids, exporters only when ``OTEL_*`` asks for them, and W3C
context in Kafka headers."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from streams import __version__
from streams.telemetry import otel
from streams.telemetry.unexported import UnexportedProvider

log = logging.getLogger(__name__)

# A collector that is gone must not delay the end of the process: shutdown as a whole must take less
# than 10 s.
SHUTDOWN_SECONDS = 2.0

_W3C = TraceContextTextMapPropagator()


def configure(service_name: str, instance_id: str | None = None) -> TracerProvider:
    """Set up tracing for the whole process, once. Every ``trace.get_tracer`` uses it from then on.

    Every outcome has a trace id. Spans are recorded, and leave the process, only when
    ``OTEL_TRACES_EXPORTER`` (``otlp``, ``console``, ``none``) or an OTLP endpoint is set. The SDK's
    own variables win over the arguments. Raises SettingsError for a value that the SDK would not
    accept, or could not act on.
    """
    otel.prepare()
    try:
        provider = _provider(service_name, instance_id)
    except Exception as exc:  # noqa: BLE001 - see `not_taken`
        raise otel.not_taken(exc) from None
    trace.set_tracer_provider(provider)
    return provider


def _provider(service_name: str, instance_id: str | None) -> TracerProvider:
    exporters = [_exporter(name) for name in otel.exporters(os.environ, "TRACES")]
    defaults = {"service.name": service_name, "service.version": __version__}
    if instance_id is not None:
        defaults["service.instance.id"] = instance_id
    resource = Resource.create(defaults).merge(OTELResourceDetector().detect())
    # The SDK's own exit hook waits 30 s and more for a collector that does not answer.
    kind = TracerProvider if exporters else UnexportedProvider
    provider = kind(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def shutdown(seconds: float = SHUTDOWN_SECONDS) -> None:
    """Export the remaining spans and stop, within ``seconds`` whatever the collector does."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        return
    # A daemon thread: an export that is stuck must not keep the process alive either.
    last = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
    last.start()
    last.join(seconds)
    if last.is_alive():
        log.warning("the last spans were not taken in time and are lost: is the collector up?")


def inject_context(context: Context | None = None) -> list[tuple[str, bytes]]:
    """``traceparent`` and ``tracestate`` of a context (by default the current one) as Kafka
    headers; empty outside of any span."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context)
    return [(name, value.encode()) for name, value in carrier.items()]


def trace_headers(span: trace.Span) -> list[tuple[str, bytes]]:
    """The same of one span."""
    at = span.get_span_context()
    if not at.is_valid:
        return []
    parent = f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}"
    headers = [("traceparent", parent.encode())]
    if at.trace_state:
        headers.append(("tracestate", at.trace_state.to_header().encode()))
    return headers


def extract_context(
    headers: Iterable[tuple[str, bytes | None]] | Mapping[str, bytes | None] | None,
) -> Context:
    """The context in a record's headers. It is empty when none can be read, so that the record
    starts a trace of its own. When a header is there twice the last one counts, as everywhere in
    Kafka."""
    if not headers:
        return Context()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    carrier = {
        name.lower(): value.decode("ascii", "replace")
        for name, value in pairs
        if value is not None and name.lower() in _W3C.fields
    }
    return _W3C.extract(carrier) if carrier else Context()


def _exporter(name: str) -> SpanExporter:
    # Stdout is for data.
    return ConsoleSpanExporter(out=sys.stderr) if name == "console" else OTLPSpanExporter()
