"""Exemplars: the trace behind a measured value, for whoever asks why it was so high."""

from __future__ import annotations

from opentelemetry import trace


def exported(span: trace.Span) -> bool:
    """Whether this process exports the span, ended or not: any other one is a NonRecordingSpan."""
    return not isinstance(span, trace.NonRecordingSpan)


def exemplar(span: trace.Span | None = None) -> dict[str, str] | None:
    """The labels that name a span's trace, by default of the current span. None when there is no
    span, or when it is not exported: no trace store would have it."""
    own = trace.get_current_span() if span is None else span
    if not exported(own):
        return None
    at = own.get_span_context()
    return {
        "trace_id": trace.format_trace_id(at.trace_id),
        "span_id": trace.format_span_id(at.span_id),
    }
