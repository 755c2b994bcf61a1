"""What the demo looks like: a live view on a terminal, a few plain lines elsewhere, a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.core.records import Decision
from streams.local.demo.account import Account
from streams.local.demo.ledger import Answer, Percentiles

# Order in which decisions are listed: good news, no news, news. Those of legs stand beside them.
_ORDER: tuple[str, ...] = ("noted", *Decision, "refused", "unconfirmed")

_STYLES: Mapping[str, str] = {
    Decision.PATCHED: "green",
    Decision.DUPLICATE: "cyan",
    Decision.STALE: "cyan",
    Decision.CONFLICT: "yellow",
    Decision.NOT_FOUND: "yellow",
    Decision.DEFERRED: "yellow",
    Decision.FAILED: "bold red",
    "refused": "yellow",
    "unconfirmed": "yellow",
}

# Characters: half of a terminal that is 80 wide.
_BAR_WIDTH = 40

# The simulator's names of its routes, in the order of their columns.
_ROUTES = ("GET", "PATCH", "token")

ApiAnswers = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The demo at one moment. ``api``: answers by route and status. ``rate``: events decided a
    second, recently. ``elapsed``: seconds since the first event."""

    planned: int
    sent: int
    decided: int
    answers: Counter[Answer]
    api: ApiAnswers
    in_flight: int
    latency: Percentiles
    rate: float
    elapsed: float


def live(now: Snapshot) -> RenderableType:
    """The live view, drawn again and again."""
    bars = Table.grid(padding=(0, 2))
    for name, count in (("events sent", now.sent), ("events decided", now.decided)):
        bar = ProgressBar(now.planned, count, width=_BAR_WIDTH, complete_style="green")
        bars.add_row(name, bar, f"{count:,} of {now.planned:,}")
    tables = beside(decisions(now.answers, None), answered(now.api))
    vitals = Table.grid(padding=(0, 3))
    vitals.add_row(
        f"in flight [bold]{now.in_flight:>3}[/]",
        f"latency {percentiles(now.latency)}",
        f"[bold]{now.rate:,.0f}[/] events/s",
        f"{now.elapsed:.0f} s",
    )
    return Padding(Group(bars, "", tables, "", vitals), (1, 1))


def line(now: Snapshot) -> str:
    """The same on one line, for a log."""
    calls = sum(sum(statuses.values()) for statuses in now.api.values())
    return (
        f"{now.elapsed:5.1f} s  {now.sent:,} of {now.planned:,} events sent, {now.decided:,} "
        f"decided, {calls:,} API calls, {now.in_flight} in flight"
    )


def summary(account: Account, api: ApiAnswers) -> RenderableType:
    """All that the account says, the verdict last."""
    rows = Table.grid(padding=(0, 3))
    rows.add_column(style="bold")
    rows.add_column()
    retried = f" ({account.retries:,} sent again)" if account.retries else ""
    rows.add_row(
        "events",
        f"{account.sent:,} sent, {account.accepted:,} accepted{retried}, "
        f"{account.records:,} in Kafka",
    )
    rows.add_row(
        "outcomes",
        f"{account.decided:,} events have one, {account.missing:,} have none, "
        f"{account.more_than_one:,} more than one",
    )
    rows.add_row(
        "decisions",
        f"{account.decided - account.differing:,} as the reference model's, "
        f"{account.differing:,} not",
    )
    rows.add_row(
        "interactions",
        f"{account.interactions:,}: {account.eligible:,} eligible, {account.patched_once:,} of "
        f"them PATCHed once; {account.patched_more:,} PATCHed twice, {account.patched_wrongly:,} "
        "wrongly",
    )
    rows.add_row(
        "API calls",
        f"{_average(account.calls_per_eligible)} per eligible interaction, "
        f"{_average(account.calls_per_other_voice)} per other voice interaction",
    )
    rows.add_row("latency", f"{percentiles(account.latency)}, from an event being in Kafka")
    rows.add_row("throughput", f"{account.rate:,.0f} events/s over {account.seconds:.1f} s")
    tables = beside(decisions(account.answers, account.expected), answered(api))
    return Padding(Group(rows, "", tables), (1, 1), expand=False)


def verdict(account: Account) -> Text:
    """The verdict on one line, with one more line for each deviation."""
    if account.passed:
        return passed(
            "every event has its one final outcome, every eligible interaction exactly one PATCH, "
            "and every decision is the model's"
        )
    return failed(account.deviations)


def passed(what: str) -> Text:
    return Text(f"PASS: {what}", style="bold green")


def failed(deviations: Sequence[str]) -> Text:
    lines = [f"FAIL: {len(deviations)} of what must hold does not"]
    return Text("\n".join([*(f"- {each}" for each in deviations), *lines]), style="red")


def stacked(rows: Table, tables: Columns) -> Group:
    return Group(rows, "", tables)


def beside(left: Table, right: Table) -> Columns:
    """Side by side, or one below the other where that is too narrow."""
    return Columns((left, right), padding=(1, 3))


def decisions(
    answers: Counter[Answer], expected: Counter[Answer] | None, counted: str = "EVENTS"
) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("DECISION", no_wrap=True)
    table.add_column("REASON", no_wrap=True)
    table.add_column(counted, justify="right")
    if expected is not None:
        table.add_column("MODEL", justify="right")
    listed = sorted({*answers, *(expected or ())}, key=lambda each: (_place(each[0]), each))
    for decision, reason in listed:
        counts = [f"{answers[decision, reason]:,}"]
        if expected is not None:
            counts.append(f"{expected[decision, reason]:,}")
        table.add_row(decision, reason, *counts, style=_STYLES.get(decision, ""))
    return table


def _place(decision: str) -> int:
    return _ORDER.index(decision) if decision in _ORDER else len(_ORDER)


def answered(api: ApiAnswers) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("API")
    for route in _ROUTES:
        table.add_column(route, justify="right")
    for status in sorted({status for statuses in api.values() for status in statuses}):
        counts = (api.get(route, {}).get(status, 0) for route in _ROUTES)
        cells = (f"{count:,}" if count else "" for count in counts)
        table.add_row(status, *cells, style="" if status.startswith("2") else "yellow")
    return table


def percentiles(latency: Percentiles) -> str:
    return (
        f"p50 {_milliseconds(latency.p50)}, p95 {_milliseconds(latency.p95)}, "
        f"p99 {_milliseconds(latency.p99)}"
    )


def _milliseconds(value: int | None) -> str:
    return "-" if value is None else f"{value:,} ms"


def _average(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
