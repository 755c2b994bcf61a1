"""Traces: a provider that always makes ids, exporters only as ``OTEL_*`` says, W3C context in and
out of Kafka headers."""

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
from streams.errors import SettingsError
from streams.telemetry import otel

log = logging.getLogger(__name__)

# A collector that is gone may not hold up the end of the process: the whole of it has 10 s.
SHUTDOWN_SECONDS = 2.0

_W3C = TraceContextTextMapPropagator()


def configure(service_name: str, instance_id: str | None = None) -> TracerProvider:
    """Set up tracing for the whole process, once; every ``trace.get_tracer`` uses it from then on.

    Spans are always made, so that every outcome has a trace id; they leave the process only when
    ``OTEL_TRACES_EXPORTER`` (``otlp``, ``console``, ``none``) or an OTLP endpoint is set. The
    SDK's own variables win over the arguments. Raises SettingsError for what the SDK would not
    take, or could not do.
    """
    otel.settle()
    try:
        provider = _provider(service_name, instance_id)
    except Exception as exc:  # noqa: BLE001 - a plug-in may raise anything, in words of its own
        set_here = sorted(
            name for name in os.environ if name.startswith("OTEL_") and name.isprintable()
        )
        raise SettingsError(
            f"{', '.join(set_here) or 'OTEL_*'}: OpenTelemetry does not take one of these: "
            f"{type(exc).__name__}; correct it, or unset it"
        ) from None
    trace.set_tracer_provider(provider)
    return provider


def _provider(service_name: str, instance_id: str | None) -> TracerProvider:
    exporters = [_exporter(name) for name in otel.exporters(os.environ)]
    defaults = {"service.name": service_name, "service.version": __version__}
    if instance_id is not None:
        defaults["service.instance.id"] = instance_id
    resource = Resource.create(defaults).merge(OTELResourceDetector().detect())
    # The SDK's own hook at exit waits 30 s and more for a collector that does not answer.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def shutdown(seconds: float = SHUTDOWN_SECONDS) -> None:
    """Export what is left and stop; returns within that time whatever the collector does."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        return
    # A daemon: what is stuck in there may not keep the process alive either.
    last = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
    last.start()
    last.join(seconds)
    if last.is_alive():
        log.warning("the last spans were not taken in time and are lost: is the collector up?")


def inject_context(context: Context | None = None) -> list[tuple[str, bytes]]:
    """``traceparent`` and ``tracestate`` of a context, the current one by default, as Kafka
    headers; empty outside of any span."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context)
    return [(name, value.encode()) for name, value in carrier.items()]


def extract_context(
    headers: Iterable[tuple[str, bytes | None]] | Mapping[str, bytes | None] | None,
) -> Context:
    """The context that a record's headers carry; an empty one when they carry none that can be
    read, so that the record starts a trace of its own. Of a header that is there twice the last
    one counts, as everywhere in Kafka."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    carrier = {
        name.lower(): value.decode("ascii", "replace")
        for name, value in pairs
        if value is not None and name.lower() in _W3C.fields
    }
    return _W3C.extract(carrier)


def _exporter(name: str) -> SpanExporter:
    # Stdout is for data.
    return ConsoleSpanExporter(out=sys.stderr) if name == "console" else OTLPSpanExporter()
