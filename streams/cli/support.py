"""``genesys-streams support``: one file for whoever helps, with no secret in it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from streams.cli.printable import printable
from streams.cli.serving import complete
from streams.clock import SystemClock, rfc3339
from streams.errors import SupportError
from streams.operator.support.bundle import Part, pack, reserved
from streams.operator.support.collecting import Collector, listed, tail
from streams.operator.support.scrubbing import Scrubber, secrets
from streams.settings import Settings
from streams.telemetry import logging

# Of each log: some ten thousand lines, an hour of a busy worker.
LOG_BYTES = 4 << 20


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; genesys-streams-support-TIME.tar.gz here unless it is named.",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="A log whose end is to be in it; - for what is piped in. May be given several times.",
)
def support(*, out: Path | None, logs: tuple[Path, ...]) -> int:
    """Settings without secrets, versions, doctor's findings, topics, the group, and each worker's
    metrics and what it has open, in one file for whoever helps you.

    Ids of interactions are in it. Nothing is changed, and no group is joined. Exit code 1 if a part
    could not be had: it is named, and the others are there.
    """
    settings = Settings.load(Settings.worker_addresses)
    logging.configure(settings.log_format, "error")
    clock = SystemClock()
    time = rfc3339(clock.time()).replace(":", "")
    path = out or Path(f"genesys-streams-support-{time}.tar.gz")
    with reserved(path) as file:
        ends = {f"{number}-{each.name}": _end(each) for number, each in enumerate(logs, 1)}
        scrubber = Scrubber(secrets(settings, os.environ))
        parts = complete(_collected(Collector(settings, scrubber, clock, logs=ends)))
        file.write(pack([listed(parts), *parts], clock.time()))
    click.echo(printable(f"{path}: {len(parts)} parts; look at it before you send it"))
    return int(any(part.missing for part in parts))


async def _collected(collector: Collector) -> list[Part]:
    parts = []
    async for part in collector.parts():
        parts.append(part)
        if part.missing is not None:
            click.echo(printable(f"{part.name.removesuffix('.missing')}: {part.missing}"), err=True)
    return parts


def _end(path: Path) -> str:
    if str(path) == "-":
        return tail(click.get_binary_stream("stdin"), LOG_BYTES)
    try:
        with path.open("rb") as log:
            return tail(log, LOG_BYTES)
    except OSError as failure:
        raise SupportError(f"{path} can not be read: {failure.strerror}") from failure
