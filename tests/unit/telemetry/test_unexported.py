"""Spans that nobody exports: contexts to pass on, and nothing else."""

from __future__ import annotations

from random import Random

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from streams.telemetry.unexported import UnexportedProvider, UnexportedTracer

PARENT = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(0))


def test_each_trace_without_a_parent_has_ids_of_its_own() -> None:
    tracer = UnexportedTracer(Random(7))
    made = [tracer.start_span("process", kind=SpanKind.CONSUMER) for _ in range(100)]
    contexts = [span.get_span_context() for span in made]
    assert all(context.is_valid and context.trace_flags.sampled for context in contexts)
    assert len({context.trace_id for context in contexts}) == 100
    assert not any(span.is_recording() for span in made)


def test_a_span_is_its_parent_s_context() -> None:
    """Its sampling flag too: who starts the trace decides."""
    parent = trace.set_span_in_context(NonRecordingSpan(PARENT))
    assert UnexportedTracer(Random(7)).start_span("process", parent).get_span_context() == PARENT


def test_what_runs_inside_a_span_has_its_context() -> None:
    tracer = UnexportedTracer(Random(7))
    with tracer.start_as_current_span("publish", end_on_exit=True) as outer:
        with tracer.start_as_current_span("call") as inner:
            assert trace.get_current_span() is inner
        assert inner.get_span_context() == outer.get_span_context()
    assert not trace.get_current_span().get_span_context().is_valid


def test_traces_of_two_processes_differ() -> None:
    ids = {
        UnexportedProvider().get_tracer("test").start_span("x").get_span_context().trace_id
        for _ in range(2)
    }
    assert len(ids) == 2
