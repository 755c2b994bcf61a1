"""``genesys-streams doctor``: whether all is there that the work needs, and what to do if not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import click
import msgspec

from streams.cli.printable import json_line, printable
from streams.cli.serving import complete
from streams.clock import SystemClock
from streams.core.envelope import INTERACTION_ID
from streams.errors import SettingsError
from streams.operator.doctor.check import Check, exit_code
from streams.operator.doctor.examination import examine
from streams.operator.doctor.probe import probe
from streams.settings import Settings
from streams.telemetry import logging


@click.command()
@click.option("--json", "as_json", is_flag=True, help="JSON lines.")
@click.option(
    "--conversation",
    "some_id",
    metavar="ID",
    help="What would be done with this conversation (or interaction) now, and why.",
)
@click.option("--really", is_flag=True, help="With --conversation: and do it, once.")
def doctor(*, as_json: bool, some_id: str | None, really: bool) -> int:
    """Check settings, disk, Kafka, topics, rights, and Genesys Cloud: region, token, permissions,
    the code, the events that EventBridge can carry, rate and clock.

    One line for each: ok, warning or failed, and what to do. Nothing is changed, but with --really.
    Exit code 1 if anything has failed.
    """
    if really and some_id is None:
        raise click.UsageError("--really goes with --conversation ID.")
    if some_id is None:
        settings = Settings.load()
        _log(settings)
        return complete(_show(examine(settings, SystemClock()), as_json=as_json))
    if not INTERACTION_ID.fullmatch(some_id):
        raise click.BadParameter(
            f"must match {INTERACTION_ID.pattern}", param_hint="'--conversation'"
        )
    settings = Settings.load(Settings.connection, Settings.check_policy)
    if really and settings.dry_run:
        raise SettingsError("DRY_RUN: no code is set while it is true; unset it for --really")
    _log(settings)
    checks = probe(settings, some_id, SystemClock(), really=really)
    return complete(_show(checks, as_json=as_json))


def _log(settings: Settings) -> None:
    """What fails is said by a check; the log has the rest where it is asked for."""
    level = settings.log_level if settings.log_level == "debug" else "error"
    logging.configure(settings.log_format, level)


async def _show(checks: AsyncIterator[Check], *, as_json: bool) -> int:
    """Print each as soon as it is known."""
    shown = []
    async for each in checks:
        shown.append(each)
        click.echo(json_line(msgspec.json.encode(each)) if as_json else printable(each))
    return exit_code(shown)
