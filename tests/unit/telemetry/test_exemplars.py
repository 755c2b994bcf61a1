"""The trace behind a measured value."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from streams.telemetry.exemplars import exemplar
from streams.telemetry.unexported import UnexportedProvider


def test_a_sampled_span_is_named_by_its_ids() -> None:
    span = TracerProvider().get_tracer("test").start_span("publish")
    at = span.get_span_context()
    ids = {"trace_id": f"{at.trace_id:032x}", "span_id": f"{at.span_id:016x}"}
    assert exemplar(span) == ids
    with trace.use_span(span):
        assert exemplar() == ids


def test_a_trace_that_no_store_has_is_no_exemplar() -> None:
    assert exemplar(TracerProvider(sampler=ALWAYS_OFF).get_tracer("test").start_span("x")) is None
    assert exemplar(UnexportedProvider().get_tracer("test").start_span("x")) is None
    assert exemplar() is None


def test_a_span_that_has_ended_still_names_its_trace() -> None:
    span = TracerProvider().get_tracer("test").start_span("publish")
    span.end()
    assert exemplar(span) is not None
