"""``genesys-streams demo``."""

from __future__ import annotations

import asyncio
from typing import Literal

import click

from streams.local.generator.population import DEFAULT_SEED

# About 1,200 events, among them every decision that comes without an error.
DEFAULT_INTERACTIONS = 150

# The embedded broker keeps 5 MiB of a partition, some 5,000 outcomes, and then drops the oldest:
# with 2,600 interactions the first ones were gone before the end.
MOST_INTERACTIONS = 2_000

# Width of a line when the output is not a terminal: two tables fit side by side.
LOG_WIDTH = 120


@click.command()
@click.option(
    "--interactions",
    default=DEFAULT_INTERACTIONS,
    show_default=True,
    type=click.IntRange(1),
    help="About eight events each.",
)
@click.option(
    "--seed",
    default=DEFAULT_SEED,
    show_default=True,
    help="The same seed gives the same interactions and events.",
)
@click.option(
    "--api",
    default="interactions",
    show_default=True,
    type=click.Choice(["interactions", "conversations"]),
    help="The dialect, as GENESYS_API has it.",
)
@click.option("--chaos", is_flag=True, help="Genesys Cloud fails now and then.")
@click.option("--keep-running", is_flag=True, help="Leave it all up afterwards, until Ctrl-C.")
def demo(
    *,
    interactions: int,
    seed: int,
    api: Literal["interactions", "conversations"],
    chaos: bool,
    keep_running: bool,
) -> int:
    """The whole pipeline on this machine, with nothing to set up.

    Embedded broker, simulated Genesys Cloud, bridge and worker, each a process of its own;
    realistic events through the bridge, duplicates and late ones included; then an account of
    every one.

    Exit code 0 only if every event has its one final outcome, every eligible interaction exactly
    one PATCH, and every decision is that of the reference model. With --api conversations: only if
    every leg that is due gets its code, once and in time, and no other leg gets one.
    """
    from rich.console import Console

    from streams.local.demo.pipeline import Org
    from streams.local.demo.run import run_demo

    if interactions > MOST_INTERACTIONS:
        raise click.BadParameter(
            f"at most {MOST_INTERACTIONS:,}: the embedded broker would drop the records of more "
            "without a word. For more, run the parts yourself on Apache Kafka.",
            param_hint="'--interactions'",
        )
    errors = Console(stderr=True)
    # Output that is not a terminal has no width of its own.
    console = Console() if Console().is_terminal else Console(width=LOG_WIDTH)
    org = Org(interactions, seed, chaos, api)
    return asyncio.run(run_demo(org, keep_running=keep_running, console=console, errors=errors))
