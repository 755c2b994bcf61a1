"""Is it us or Genesys, what is being decided, and how quickly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streams.console.desk import Desk
from streams.console.index.counts import Bucket, percentiles
from streams.console.index.figures import SPANS, Figures, Span, figures
from streams.console.pages.stuck import when_done
from streams.console.pages.tones import TONES, of_decision
from streams.console.workers.judgement import findings, requests_per_minute, together

# The chart's own units; it is as wide as the page lets it be.
WIDTH, HEIGHT, GAP = 960.0, 120.0, 1.5

SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a bar, in the chart's units."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True, slots=True)
class Decided:
    """A row of the table. ``of_most``: its length beside the longest one, 0 to 100."""

    decision: str
    reason: str
    tone: str
    number: int
    share: float
    of_most: float


def overview(desk: Desk, query: Mapping[str, str]) -> dict[str, object]:
    """Raises IndexDamaged, ConsoleError."""
    name = query.get("span", "hour")
    span = SPANS.get(name, SPANS["hour"])
    found = figures(desk.index, span, desk.now_ms)
    workers = desk.watch.workers
    answering = [each for each in workers if each.last is not None]
    last = [each.last for each in workers if each.last is not None]
    token = together(each.token() for each in workers)
    used = requests_per_minute(workers)
    return {
        "findings": findings(workers, desk.budget),
        "spans": SPANS,
        "span_name": name if name in SPANS else "hour",
        "span": span,
        "tones": list(TONES),
        "totals": _totals(found.whole),
        "bars": list(_bars(found, span)),
        "most": max((sum(each.decided.values()) for _, each in found.bars), default=0),
        "width": WIDTH,
        "height": HEIGHT,
        "first": found.bars[0][0],
        "last": found.bars[-1][0] + span.bar_ms,
        "decided": list(_decided(found.whole)),
        "took": percentiles(found.whole.took, SHARES),
        "waited": percentiles(found.whole.waited, SHARES),
        "workers": workers,
        "answering": len(answering),
        "ready": sum(each.not_ready is None for each in last),
        "breakers": sorted({each.breaker or "not said" for each in last}),
        "gate_waiting": sum(each.gate_waiting for each in last),
        "slowed": together(each.api() for each in workers).of("429"),
        "token_refused": token.of("400", "401", "403", "5xx", "ApiTimeout", "ConnectionLost"),
        "requests_per_minute": used,
        "budget": desk.budget,
        "budget_share": min(100.0, 100 * used / desk.budget),
        "lag": sum(each.lag for each in last),
        "done": when_done(desk.stuck.account, desk.now_ms),
    }


def _totals(whole: Bucket) -> Mapping[str, int]:
    totals = dict.fromkeys(TONES, 0)
    for name, number in whole.decided.items():
        totals[of_decision(name.partition(" ")[0])] += number
    return totals


def _bars(found: Figures, span: Span) -> Iterator[Bar]:
    most = max((sum(each.decided.values()) for _, each in found.bars), default=0)
    if not most:
        return
    width = WIDTH / span.bars
    for number, (_, bucket) in enumerate(found.bars):
        bottom = HEIGHT
        for tone, count in _totals(bucket).items():
            if count:
                height = count / most * HEIGHT
                bottom -= height
                x = number * width + GAP / 2
                yield Bar(round(x, 2), round(bottom, 2), width - GAP, round(height, 2), tone)


def _decided(whole: Bucket) -> Iterator[Decided]:
    total, most = sum(whole.decided.values()), max(whole.decided.values(), default=1)
    for name, number in sorted(whole.decided.items(), key=lambda each: -each[1]):
        decision, _, reason = name.partition(" ")
        share = number / total
        yield Decided(decision, reason, of_decision(decision), number, share, 100 * number / most)
