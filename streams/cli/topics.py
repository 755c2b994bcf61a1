"""``genesys-streams topics``: the declared topics, created, checked, listed."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli.columns import as_wide_as, heading_line, row_line
from streams.cli.printable import printable
from streams.cli.serving import complete
from streams.kafka.codecs import readable_codecs
from streams.kafka.declaration import DeclaredTopic
from streams.kafka.topics import State, apply_topics, look
from streams.settings import Settings
from streams.stopping import in_daemon_thread

HEADINGS = ("TOPIC", "PARTITIONS", "REPLICAS", "RETENTION", "CLEANUP", "STATE")


@click.group(help="Create and check the Kafka topics that are declared in topics.yaml.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another declaration than the one that comes with the program.",
)
@click.pass_context
def topics(ctx: click.Context, file: Path | None) -> None:
    ctx.obj = file


@topics.command(help="Create the topics that are missing. Never changes or deletes one.")
@click.pass_obj
def apply(file: Path | None) -> None:
    before, after = complete(in_daemon_thread(apply_topics, Settings.load().kafka, file))
    for declared, fitted in zip(before.declaration.topics, before.fitted, strict=True):
        if fitted.name in before.cluster.topics:
            click.echo(f"{fitted.name}: already there")
        else:
            click.echo(f"{fitted.name}: created{_concessions(declared, fitted, before)}")
    for difference in after.differences():
        click.echo(f"{printable(difference)}; left as it is", err=True)


@topics.command(help="Say what differs from the declaration; exit 1 if anything does.")
@click.pass_context
def check(ctx: click.Context) -> None:
    state = complete(in_daemon_thread(look, Settings.load().kafka, ctx.obj))
    differences = state.differences()
    for difference in differences:
        click.echo(printable(difference))
    if differences:
        ctx.exit(1)
    limits = "" if state.fitted == state.declaration.topics else " as far as this cluster allows"
    click.echo(
        f"{len(state.fitted)} topics are as declared{limits}; codecs read here: "
        f"{', '.join(readable_codecs())}"
    )


@topics.command(name="list", help="The declared topics and how they are on the cluster.")
@click.pass_obj
def list_(file: Path | None) -> None:
    state = complete(in_daemon_thread(look, Settings.load().kafka, file))
    differing = {difference.topic for difference in state.differences()}
    rows = []
    for declared in state.fitted:
        actual = state.cluster.topics.get(declared.name)
        shown = actual or declared
        config = shown.config or {}
        rows.append(
            (
                declared.name,
                shown.partitions,
                shown.replication_factor,
                _retention(config.get("retention.ms")),
                config.get("cleanup.policy", "-"),
                "missing" if actual is None else "differs" if declared.name in differing else "ok",
            )
        )
    columns = as_wide_as(HEADINGS, rows)
    click.echo(heading_line(columns))
    for row in rows:
        click.echo(row_line(columns, row))


def _concessions(declared: DeclaredTopic, fitted: DeclaredTopic, state: State) -> str:
    """How the topic differs from its declaration because the cluster could not do more."""
    cluster = state.cluster
    said = f", {fitted.partitions} partitions, replication factor {fitted.replication_factor}"
    if cluster.embedded:
        return f"{said} (all that the embedded broker has)"
    if fitted.replication_factor < declared.replication_factor:
        brokers = f"{cluster.brokers} broker{'' if cluster.brokers == 1 else 's'}"
        return f"{said} (declared {declared.replication_factor}, but the cluster has {brokers})"
    return said


def _retention(milliseconds: str | None) -> str:
    """``604800000`` -> ``7 d``; hours below two days."""
    if milliseconds is None:
        return "-"
    if milliseconds == "-1":
        return "for ever"
    hours = int(milliseconds) / 3_600_000
    return f"{hours / 24:g} d" if hours >= 48 and hours % 24 == 0 else f"{hours:g} h"
