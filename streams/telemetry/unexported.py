"""Spans when nobody exports them: each has a trace id to pass on, and costs next to nothing.

The SDK makes a whole span, with a lock, limits and attributes, before it notices that nobody takes
it; two of them were 40 % of the work on a record that no call needs (docs/performance.md). A span
of this provider is nothing but its context: that of its parent, as OpenTelemetry's API does it
without an SDK, or a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

# As the SDK's default sampler decides for a trace without a parent. Consumers of the outcomes that
# do export their spans follow it.
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class UnexportedTracer(trace.Tracer):
    """Makes spans that record nothing."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        *_: object,
        **__: object,
    ) -> Span:
        parent = trace.get_current_span(context).get_span_context()
        return NonRecordingSpan(parent if parent.is_valid else self._new_trace())

    @contextmanager
    def start_as_current_span(  # type: ignore[override]  # the API's return type is private
        self,
        name: str,
        context: Context | None = None,
        *_: object,
        **__: object,
    ) -> Iterator[Span]:
        with trace.use_span(self.start_span(name, context)) as span:
            yield span

    def _new_trace(self) -> SpanContext:
        # Zero is no valid id.
        return SpanContext(
            trace_id=self._random.getrandbits(128) or 1,
            span_id=self._random.getrandbits(64) or 1,
            is_remote=False,
            trace_flags=_SAMPLED,
        )


class UnexportedProvider(TracerProvider):
    """The SDK's provider in a process that exports no spans: settings are read and checked as
    usual, but its tracer is an UnexportedTracer."""

    def get_tracer(self, *_: object, **__: object) -> trace.Tracer:
        return UnexportedTracer(Random())
