"""``genesys-streams outcomes``: the decisions and their reasons, from the topic that others read
too.

Every record there is shown: one that is not an outcome is named with its place and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

import click
import msgspec
from aiokafka import ConsumerRecord
from rich.console import Console
from rich.text import Text

from streams.cli.columns import Column, heading_line, row_line
from streams.cli.interaction import INTERACTION
from streams.cli.moment import MOMENT, in_order
from streams.cli.printable import CELL_LENGTH, json_line, printable, text_of
from streams.cli.serving import complete
from streams.clock import rfc3339
from streams.core.records import Decision
from streams.kafka.partitioner import partition_of
from streams.kafka.reader import (
    partitions_of,
    read_topic,
    require_rights,
    time_of,
)
from streams.lengths import length
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
    Column("DURATION", 10),
    Column("END TO END", 10),
    Column("LEG", 36),
    Column("NEXT TRY", 24),
    Column("ERROR", 5, most=100),
)

Show = Callable[[ConsumerRecord, Outcome | Unreadable], None]

# How many characters are shown of a value that is not an outcome: enough to see what it is.
UNREADABLE_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which outcomes are printed. ``since``, ``until``: epoch milliseconds of the record's time in
    Kafka. ``limit``: the number of records after which to end."""

    interaction: str | None = None
    decisions: frozenset[str] = frozenset()
    since: int | None = None
    until: int | None = None
    limit: int | None = None

    def has(self, record: ConsumerRecord, found: Outcome | Unreadable) -> bool:
        """Whether it is printed. Of a record that can not be read only the key is known, so only
        the interaction can rule it out."""
        under_its_key = self.interaction is None or record.key == self.interaction.encode()
        if not isinstance(found, Outcome):
            return under_its_key
        is_its = under_its_key or found.interaction_id == self.interaction
        return is_its and (not self.decisions or found.decision in self.decisions)

    @property
    def nothing_found(self) -> str:
        narrowed = self.decisions or self.since is not None or self.until is not None
        if self.interaction is None:
            return f"no outcome{' is among those asked for' if narrowed else ' is there yet'}"
        if narrowed:
            return (
                f"no outcome of {self.interaction} is among those asked for; without --since, "
                "--until and --decision there may be one"
            )
        return (
            f"no outcome of {self.interaction}: not decided yet, never let in, or older than what "
            f"is kept; see explain {self.interaction} and dead-letters list --interaction "
            f"{self.interaction}"
        )


@click.command()
@click.option("--follow", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@click.option(
    "--interaction", type=INTERACTION, metavar="ID", help="Only those of one interaction."
)
@click.option(
    "--decision",
    multiple=True,
    type=click.Choice([each.value for each in Decision]),
    help="Only those of this one; may be repeated.",
)
@click.option("--since", type=MOMENT, metavar="TIME", help="Only those published since.")
@click.option("--until", type=MOMENT, metavar="TIME", help="Only those published before.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="End after so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as in the topic.")
def outcomes(
    *,
    follow: bool,
    interaction: str | None,
    decision: Sequence[str],
    since: int | None,
    until: int | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Print the outcomes in the topic, in order for each interaction.

    A record that is no outcome is named on stderr, with the reason; with --json it is an object
    that has "unreadable". Times are those of the records in Kafka, RFC 3339. With --since the
    topic is read from there on, and not from its beginning.
    """
    in_order(since, until, named="--until", after="--since")
    wanted = Selection(interaction, frozenset(decision), since, until, limit)
    settings = Settings.load()

    with suppress(click.Abort):  # Ctrl-C is how --follow ends
        complete(_read(settings, follow, wanted, as_json))


async def _read(settings: Settings, follow: bool, wanted: Selection, as_json: bool) -> None:
    topic = settings.topics.outcomes
    await require_rights(settings.kafka, "outcomes")
    count = await partitions_of(settings.kafka, topic)
    key = None if wanted.interaction is None else wanted.interaction.encode()
    partitions = range(count) if key is None else [partition_of(key, count)]
    show = _json if as_json else _table(Console(highlight=False, soft_wrap=True))
    shown = 0
    reading = read_topic(
        settings.kafka, topic, partitions, follow=follow, since=wanted.since, until=wanted.until
    )
    async with aclosing(reading) as records:
        async for record in records:
            found = read_outcome(record.value)
            if wanted.has(record, found):
                show(record, found)
                shown += 1
                if shown == wanted.limit:
                    return
    if not shown:
        click.echo(wanted.nothing_found, err=True)


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
    cells = (
        outcome.decided_at,
        outcome.interaction_id,
        outcome.sequence_id,
        outcome.decision,
        outcome.reason,
        outcome.basis,
        outcome.patch_status,
        outcome.api_calls,
        length(outcome.duration_ms),
        length(outcome.end_to_end_ms),
        outcome.leg.participant_id if outcome.leg is not None else None,
        outcome.next_at,
        outcome.error.message if outcome.error else None,
    )
    return row_line(COLUMNS, cells)
