"""What was decided in the last hour, day or week, from what the index has counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.console.index.counts import HOUR_MS, MINUTE_MS, Bucket, decode_bucket, together
from streams.console.index.keys import HOUR, MINUTE, bucket_key, start_of
from streams.console.index.store import Index


@dataclass(frozen=True, slots=True)
class Span:
    """``bars``: how many equal parts it is shown in, each of ``per_bar`` minutes or hours."""

    title: str
    kind: bytes
    unit_ms: int
    bars: int
    per_bar: int = 1

    @property
    def bar_ms(self) -> int:
        return self.unit_ms * self.per_bar


SPANS = {
    "hour": Span("the last hour", MINUTE, MINUTE_MS, 60),
    "day": Span("the last day", MINUTE, MINUTE_MS, 96, 15),
    "week": Span("the last week", HOUR, HOUR_MS, 84, 2),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """``bars``: the start of each part, epoch milliseconds, and what was decided in it."""

    bars: Sequence[tuple[int, Bucket]]
    whole: Bucket


def figures(index: Index, span: Span, now_ms: int) -> Figures:
    """Raises IndexDamaged, ConsoleError."""
    last = now_ms - now_ms % span.bar_ms
    first = last - (span.bars - 1) * span.bar_ms
    parts: dict[int, list[Bucket]] = {first + n * span.bar_ms: [] for n in range(span.bars)}
    end = bucket_key(span.kind, last + span.bar_ms)
    for key, value in index.scan(span.kind, bucket_key(span.kind, max(first, 0)), end):
        start = start_of(key)
        parts[start - (start - first) % span.bar_ms].append(decode_bucket(value))
    bars = [(start, together(buckets)) for start, buckets in parts.items()]
    return Figures(bars, together(bucket for _, bucket in bars))
