"""``genesys-streams generate``: events to stdout as JSON lines, or to a bridge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import click
import msgspec
from yarl import URL

from streams.cli.printable import json_line, printable
from streams.cli.serving import serve
from streams.clock import SystemClock
from streams.errors import SettingsError
from streams.local.conversations.playing import SPEED, from_now, tell
from streams.local.conversations.population import conversations, delivered
from streams.local.conversations.scenario import Scenario
from streams.local.generator.delivery import Delivery, DeliveryReport
from streams.local.generator.population import DEFAULT_INTERACTIONS, DEFAULT_SEED, population
from streams.local.generator.stream import DEFAULT_DUPLICATES, DEFAULT_LATE, stream


@click.command()
@click.option(
    "--interactions",
    default=DEFAULT_INTERACTIONS,
    show_default=True,
    type=click.IntRange(0),
    help="About eight events each.",
)
@click.option(
    "--seed",
    default=DEFAULT_SEED,
    show_default=True,
    help="The same seed gives the same events, and simulator knows its interactions.",
)
@click.option(
    "--api",
    default="interactions",
    show_default=True,
    type=click.Choice(["interactions", "conversations"]),
    help="The dialect, as GENESYS_API has it.",
)
@click.option(
    "--simulator",
    metavar="URL",
    help="With conversations and --to: let this simulator know them before they begin.",
)
@click.option(
    "--speed",
    default=SPEED,
    show_default=True,
    type=click.FloatRange(1),
    help="With conversations and --to: so much faster than life they are played.",
)
@click.option("--to", "url", metavar="URL", help="POST to this bridge; to stdout by default.")
@click.option(
    "--duplicates",
    default=DEFAULT_DUPLICATES,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the events that are delivered twice.",
)
@click.option(
    "--late",
    default=DEFAULT_LATE,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the events that come after a later one.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="Events a second to the bridge; as fast as it takes them by default.",
)
@click.option(
    "--api-key",
    envvar="BRIDGE_API_KEY",
    help="The bridge's key; the first one of BRIDGE_API_KEY by default.",
)
def generate(
    *,
    interactions: int,
    seed: int,
    api: str,
    simulator: str | None,
    speed: float,
    url: str | None,
    duplicates: float,
    late: float,
    rate: float | None,
    api_key: str | None,
) -> int:
    """Realistic EventBridge events of many interactions, as they would be delivered.

    A bridge that is away, or can not take an event, is tried again for two minutes. The first
    event that it refuses, or has not taken by then, ends it with exit code 1.
    """
    everyone = population(seed, interactions)
    if url is None and api == "conversations":
        _write(event for _, event in delivered(conversations(seed, interactions)))
        return 0
    if url is None:
        _write(stream(everyone, seed, duplicates=duplicates, late=late))
        return 0
    for name, given in (("--to", url), ("--simulator", simulator)):
        if given is not None and not _is_http(given):
            raise SettingsError(f"{name}: must be an http:// or https:// URL")
    clock = SystemClock()
    events = stream(everyone, seed, duplicates=duplicates, late=late, now=clock.time)
    key = api_key.split(",")[0].strip() if api_key else None
    report = DeliveryReport()

    async def main(stop: asyncio.Event) -> None:
        nonlocal report
        async with aiohttp.ClientSession() as session:
            delivery = Delivery(session, url, clock, api_key=key, rate=rate, firm=True, say=_say)
            if api == "interactions":
                report = await delivery.deliver(events, stop)
                return
            played = from_now(seed, interactions, clock, speed)
            if simulator is not None:
                await _tell(session, simulator, played)
            report = await delivery.deliver_at(delivered(played), stop)

    serve(main)
    if report.refused:
        raise click.ClickException(
            f"{printable(report.refusals[0])}; {report.accepted:,} events were accepted, the rest "
            "is not sent. See that --to is a bridge that is up, and --api-key (BRIDGE_API_KEY) one "
            "of its keys"
        )
    _say(
        f"{report.sent:,} events in {report.seconds:.1f} s: {report.accepted:,} accepted, "
        f"{report.skipped:,} skipped, {report.retries:,} retries"
    )
    # Of conversations more is sent than a bridge takes, as by a rule that lets all of it through.
    left = report.skipped if api == "conversations" and report.accepted else 0
    return 0 if report.accepted + left == report.sent else 1


async def _tell(session: aiohttp.ClientSession, simulator: str, played: Sequence[Scenario]) -> None:
    try:
        await tell(session, simulator, played)
    except aiohttp.ClientError as exc:
        raise click.ClickException(
            f"{printable(simulator)}: {printable(exc)}; see that --simulator is a simulator that "
            "is up"
        ) from None


def _write(events: Iterable[dict[str, Any]]) -> None:
    stdout = click.get_binary_stream("stdout")
    for event in events:
        stdout.write(json_line(msgspec.json.encode(event)) + b"\n")
    stdout.flush()


def _is_http(url: str) -> bool:
    try:
        parts = URL(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.host)


def _say(text: str) -> None:
    click.echo(printable(text), err=True)
