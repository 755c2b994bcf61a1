"""What the demo of conversations looks like once it is over."""

from __future__ import annotations

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from streams.local.demo import view
from streams.local.demo.leg_account import LegAccount


def summary(account: LegAccount, api: view.ApiAnswers) -> RenderableType:
    """All that the account says."""
    rows = Table.grid(padding=(0, 3))
    rows.add_column(style="bold")
    rows.add_column()
    retried = f" ({account.retries:,} sent again)" if account.retries else ""
    rows.add_row(
        "events",
        f"{account.sent:,} sent, {account.accepted:,} accepted{retried}, the rest skipped; "
        f"{account.records:,} in Kafka, {account.decided:,} of them with an outcome",
    )
    rows.add_row(
        "legs",
        f"{account.legs:,} of agents in {account.conversations:,} conversations: {account.due:,} "
        f"due, {account.set_once:,} of them coded once; {account.refused:,} that Genesys Cloud "
        f"refuses; {account.early:,} coded too early",
    )
    looked = "-" if account.gets is None else f"{account.gets:.2f}"
    rows.add_row("API calls", f"{looked} GETs for each conversation that was looked at")
    rows.add_row(
        "latency",
        f"{view.percentiles(account.latency)}, from an event being in Kafka; most wait for the "
        "look at their conversation",
    )
    rows.add_row("played", f"in {account.seconds:.1f} s")
    tables = view.beside(view.decisions(account.answers, None, "OUTCOMES"), view.answered(api))
    return Padding(view.stacked(rows, tables), (1, 1), expand=False)


def verdict(account: LegAccount) -> Text:
    """The verdict on one line, with one more line for each deviation."""
    if account.passed:
        return view.passed(
            "every event and every leg that was looked at has its one final outcome, every leg "
            "that is due its code, once and not before its agent's time was over, and no other leg "
            "has one"
        )
    return view.failed(account.deviations)
