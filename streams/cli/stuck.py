"""``genesys-streams stuck``: what waits longest, since when, why, and until when."""

from __future__ import annotations

import click
import msgspec

from streams.cli.columns import Column, heading_line, row_line
from streams.cli.printable import json_line, printable
from streams.cli.serving import complete
from streams.operator.stuck.account import Account, NotTakenUp, Waiting
from streams.operator.stuck.asking import look
from streams.operator.stuck.telling import done_sentence, place_of, teller_sentence
from streams.settings import Settings
from streams.telemetry import logging

COLUMNS = (
    Column("SINCE", 24),
    Column("CAUSE", 9),
    Column("NEXT TRY", 24),
    Column("REQUESTS", 8),
    Column("INTERACTION", 36),
    Column("RECORD", 40),
    Column("WORKER", 6),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def stuck(*, as_json: bool) -> int:
    """What waits longest: each record, since when, why and until when, oldest first.

    From all workers of the group, and from Kafka what none of them has taken up. Exit code 1 if
    not all could be told: a worker that does not answer has a line of its own.
    """
    settings = Settings.load(Settings.worker_addresses)
    # What fails is told by the command itself; a library's warnings would only blur it.
    logging.configure(settings.log_format, "error")
    found = complete(look(settings))
    if as_json:
        _show_json(found)
    else:
        _show(found)
    return 0 if found.whole else 1


def _show_json(found: Account) -> None:
    for each in (*found.waiting, *found.tellers, *found.gaps):
        click.echo(json_line(msgspec.json.encode(each)))
    if found.done is not None:
        click.echo(json_line(msgspec.json.encode(found.done)))


def _show(found: Account) -> None:
    if found.waiting:
        click.echo(heading_line(COLUMNS))
    for each in found.waiting:
        click.echo(row_line(COLUMNS, _cells(each)))
    for teller in found.tellers:
        click.echo(printable(teller_sentence(teller)), err=teller.error is not None)
    for gap in found.gaps:
        click.echo(printable(gap.what), err=True)
    if found.done is not None:
        click.echo(printable(done_sentence(found.done)))


def _cells(each: Waiting | NotTakenUp) -> tuple[object, ...]:
    place = place_of(each)
    if isinstance(each, NotTakenUp):
        return (each.since, each.cause, None, None, each.interaction_id, place, each.worker)
    return (
        each.since,
        each.cause,
        each.next_at,
        each.requests,
        each.interaction_id,
        place,
        each.worker,
    )
