"""``genesys-streams outcomes``: what was decided and why, from the topic that others read too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing, suppress

import click
import msgspec
from aiokafka import ConsumerRecord
from rich.console import Console
from rich.text import Text

from streams.cli.printable import printable
from streams.cli.serving import complete
from streams.envelope import INTERACTION_ID
from streams.kafka.reader import partition_of, partitions_of, read_topic
from streams.records import Decision, Outcome, decode_outcome
from streams.settings import Settings

STYLES = {
    Decision.PATCHED: "green",
    Decision.WOULD_PATCH: "green",
    Decision.CONFLICT: "yellow",
    Decision.NOT_FOUND: "yellow",
    Decision.DEFERRED: "yellow",
    Decision.FAILED: "bold red",
}

# Heading and width; what is wider pushes its own line aside instead of being cut off.
COLUMNS = (
    ("DECIDED AT", 24),
    ("INTERACTION", 36),
    ("SEQUENCE", 8),
    ("DECISION", 11),
    ("REASON", 24),
    ("BASIS", 5),
    ("PATCH", 5),
    ("CALLS", 5),
    ("END TO END", 10),
)

Show = Callable[[ConsumerRecord], None]


@click.command(help="Print every outcome in the topic, in order for each interaction.")
@click.option("--follow", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@click.option("--interaction", metavar="ID", help="Only those of one interaction.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as in the topic.")
def outcomes(follow: bool, interaction: str | None, as_json: bool) -> None:
    if interaction is not None and not INTERACTION_ID.fullmatch(interaction):
        raise click.BadParameter(
            f"must match {INTERACTION_ID.pattern}", param_hint="'--interaction'"
        )
    settings = Settings.load()

    with suppress(click.Abort):  # Ctrl-C is how --follow ends
        complete(_read(settings, follow, interaction, as_json))


async def _read(settings: Settings, follow: bool, interaction: str | None, as_json: bool) -> None:
    topic = settings.topics.outcomes
    count = await partitions_of(settings, topic)
    key = None if interaction is None else interaction.encode()
    partitions = range(count) if key is None else [partition_of(key, count)]
    show = _json if as_json else _table(Console(highlight=False, soft_wrap=True))
    async with aclosing(read_topic(settings, topic, partitions, follow=follow)) as records:
        async for record in records:
            if key in (None, record.key):
                show(record)


def _json(record: ConsumerRecord) -> None:
    if record.value is not None:
        click.echo(record.value)


def _table(console: Console) -> Show:
    headings = (name.ljust(width) for name, width in COLUMNS)
    console.print(Text("  ".join(headings).rstrip(), style="bold"))

    def show(record: ConsumerRecord) -> None:
        try:
            outcome = decode_outcome(record.value or b"")
        except msgspec.DecodeError as exc:
            place = f"{record.topic}/{record.partition}/{record.offset}"
            click.echo(f"{place} is no outcome that this version can read: {exc}", err=True)
        else:
            console.print(Text(_line(outcome), style=STYLES.get(outcome.decision, "")))

    return show


def _line(outcome: Outcome) -> str:
    end_to_end = outcome.end_to_end_ms
    cells = (
        outcome.decided_at,
        printable(outcome.interaction_id),
        printable(outcome.sequence_id),
        outcome.decision,
        outcome.reason,
        outcome.basis,
        printable(outcome.patch_status),
        str(outcome.api_calls),
        "-" if end_to_end is None else f"{end_to_end:.0f} ms",
    )
    padded = (cell.ljust(width) for cell, (_, width) in zip(cells, COLUMNS, strict=True))
    return "  ".join(padded).rstrip()
