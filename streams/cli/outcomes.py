"""``genesys-streams outcomes``: the decisions and their reasons, from the topic that others read
too.

Every record there is shown: one that is not an outcome is named with its place and the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing, suppress

import click
import msgspec
from aiokafka import ConsumerRecord
from rich.console import Console
from rich.text import Text

from streams.cli.columns import Column, heading_line, row_line
from streams.cli.printable import CELL_LENGTH, json_line, printable, text_of
from streams.cli.serving import complete
from streams.clock import rfc3339
from streams.core.envelope import INTERACTION_ID
from streams.core.records import Decision
from streams.kafka.partitioner import partition_of
from streams.kafka.reader import (
    partitions_of,
    read_topic,
    require_rights,
    time_of,
)
from streams.settings import Settings
from streams.wire.outcomes import Outcome, read_outcome
from streams.wire.reading import Unreadable

STYLES = {
    Decision.PATCHED: "green",
    Decision.WOULD_PATCH: "green",
    Decision.CONFLICT: "yellow",
    Decision.NOT_FOUND: "yellow",
    Decision.DEFERRED: "yellow",
    Decision.FAILED: "bold red",
}

# A wider cell pushes its own line aside instead of being cut off.
COLUMNS = (
    Column("DECIDED AT", 24),
    Column("INTERACTION", 36),
    Column("SEQUENCE", 8),
    Column("DECISION", 11),
    Column("REASON", 24),
    Column("BASIS", 5),
    Column("PATCH", 5),
    Column("CALLS", 5),
    Column("END TO END", 10),
    Column("LEG", 36),
)

Show = Callable[[ConsumerRecord, Outcome | Unreadable], None]

# How many characters are shown of a value that is not an outcome: enough to see what it is.
UNREADABLE_LENGTH = 1_000


@click.command()
@click.option("--follow", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@click.option("--interaction", metavar="ID", help="Only those of one interaction.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as in the topic.")
def outcomes(follow: bool, interaction: str | None, as_json: bool) -> None:
    """Print every outcome in the topic, in order for each interaction.

    A record that is no outcome is named on stderr, with the reason; with --json it is an object
    that has "unreadable".
    """
    if interaction is not None and not INTERACTION_ID.fullmatch(interaction):
        raise click.BadParameter(
            f"must match {INTERACTION_ID.pattern}", param_hint="'--interaction'"
        )
    settings = Settings.load()

    with suppress(click.Abort):  # Ctrl-C is how --follow ends
        complete(_read(settings, follow, interaction, as_json))


async def _read(settings: Settings, follow: bool, interaction: str | None, as_json: bool) -> None:
    topic = settings.topics.outcomes
    await require_rights(settings.kafka, "outcomes")
    count = await partitions_of(settings.kafka, topic)
    key = None if interaction is None else interaction.encode()
    partitions = range(count) if key is None else [partition_of(key, count)]
    show = _json if as_json else _table(Console(highlight=False, soft_wrap=True))
    shown = 0
    async with aclosing(read_topic(settings.kafka, topic, partitions, follow=follow)) as records:
        async for record in records:
            found = read_outcome(record.value)
            own = isinstance(found, Outcome) and found.interaction_id == interaction
            if key is None or own or record.key == key:
                show(record, found)
                shown += 1
    if key is not None and not shown:
        click.echo(
            f"no outcome of {interaction}: not decided yet, or never let in; "
            f"see dead-letters list --interaction {interaction}",
            err=True,
        )


def _json(record: ConsumerRecord, found: Outcome | Unreadable) -> None:
    if isinstance(found, Outcome):
        click.echo(json_line(record.value))
    else:
        click.echo(json_line(msgspec.json.encode(_unreadable(record, found))))


def _unreadable(record: ConsumerRecord, found: Unreadable) -> dict[str, object]:
    """What ``--json`` prints for a record that is not an outcome. No outcome has fields of these
    names."""
    return {
        "unreadable": found.why,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "at": rfc3339(time_of(record) / 1000),
        "key": _cut(record.key),
        "value": _cut(record.value),
    }


def _cut(content: bytes | None) -> str | None:
    return None if content is None else printable(text_of(content), UNREADABLE_LENGTH)


def _table(console: Console) -> Show:
    console.print(Text(heading_line(COLUMNS), style="bold"))

    def show(record: ConsumerRecord, found: Outcome | Unreadable) -> None:
        if isinstance(found, Outcome):
            console.print(Text(_line(found), style=STYLES.get(found.decision, "")))
            return
        place = f"{record.topic}/{record.partition}/{record.offset}"
        key = printable(text_of(record.key), CELL_LENGTH)
        click.echo(f"{place} is no outcome, key {key}: unreadable, {found.why}", err=True)

    return show


def _line(outcome: Outcome) -> str:
    end_to_end = outcome.end_to_end_ms
    cells = (
        outcome.decided_at,
        outcome.interaction_id,
        outcome.sequence_id,
        outcome.decision,
        outcome.reason,
        outcome.basis,
        outcome.patch_status,
        outcome.api_calls,
        f"{end_to_end:.0f} ms",
        outcome.leg.participant_id if outcome.leg is not None else None,
    )
    return row_line(COLUMNS, cells)
