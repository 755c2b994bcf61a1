"""The long storm, from the command line.

python -m tests.chaos --seconds 1800 --seed 7 [--program textbook | --api conversations]
                      [--mixed] [--network]
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from pathlib import Path

import click

from streams.settings import Settings
from tests.chaos.breaks import draw_breaks
from tests.chaos.field import OURS, PROGRAMS
from tests.chaos.plan import CALMER, EVENTS_PER_SECOND, QUIET_SECONDS, Api, Plan
from tests.chaos.report import Report
from tests.chaos.schedule import Weather, draw
from tests.chaos.storm import PLAYED, storm
from tests.chaos.surroundings import surroundings
from tests.support.clusters import kafka_cluster
from tests.support.locked_kafka import locked_kafka
from tests.support.releases import THIS, built_last_release

HOME = Path(__file__).resolve().parents[2] / ".cache" / "storm"


@click.command()
@click.option("--seconds", default=1800.0, show_default=True)
@click.option("--seed", default=7, show_default=True)
@click.option("--program", type=click.Choice(sorted(PROGRAMS)), default=OURS.name)
@click.option("--api", type=click.Choice(sorted(PLAYED)), default="interactions", help="Dialect.")
@click.option("--rate", default=EVENTS_PER_SECOND, show_default=True, help="Events a second.")
@click.option("--quiet", default=QUIET_SECONDS, help="Seconds without an outcome that end it.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the figures here, as JSON.")
@click.option("--home", type=click.Path(path_type=Path), help="Logs and disks of the processes.")
@click.option("--locked", is_flag=True, help="SASL_SSL with ACLs for workers and bridge.")
@click.option("--mixed", is_flag=True, help="Workers and bridge of the last release among them.")
@click.option("--network", is_flag=True, help="Network, clocks and disks break, too.")
@click.option("--schedule", is_flag=True, help="Only print what would be done and when.")
def main(
    *,
    seconds: float,
    seed: int,
    program: str,
    api: Api,
    rate: float,
    quiet: float,
    report: Path | None,
    home: Path | None,
    locked: bool,
    mixed: bool,
    network: bool,
    schedule: bool,
) -> None:
    """Strike workers, bridge and three brokers for so long; exit 1 if any promise was broken."""
    if locked and program != OURS.name:
        raise click.UsageError(f"--locked: {program} comes to an open Kafka alone")
    if api != "interactions" and program != OURS.name:
        raise click.UsageError(f"--api {api}: {program} knows interactions alone")
    if mixed and program != OURS.name:
        raise click.UsageError(f"--mixed: {program} has no releases")
    if network and (locked or mixed or program != OURS.name):
        raise click.UsageError("--network: this release alone, and not with --locked")
    plan = Plan(
        seed,
        seconds,
        PROGRAMS[program],
        rate,
        quiet,
        locked=locked,
        api=api,
        releases=(built_last_release(), THIS) if mixed else (THIS,),
        network=network,
        weather=CALMER if network else Weather(),
    )
    if schedule:
        broken = draw_breaks(seed, seconds, plan.weather) if network else ()
        lines = [(each.at, str(each)) for each in draw(seed, seconds, plan.weather)]
        lines += [(each.at, str(each)) for each in broken]
        for _, line in sorted(lines):
            click.echo(line)
        return
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", stream=sys.stderr)
    for name in ("aiokafka", "aiohttp", "streams.bridge"):
        logging.getLogger(name).setLevel("CRITICAL")
    name = f"{program}{'-mixed' if mixed else ''}{'-network' if network else ''}-{api}-{seed}"
    home = (home or HOME / name).resolve()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    settings = Settings.load(_env_file=None, topic_prefix="storm.", app_id="storm")
    came_to = asyncio.run(_storm(plan, settings, home))
    click.echo(came_to.table())
    click.echo(f"logs: {home}")
    if report is not None:
        report.write_bytes(came_to.json())
    if came_to.total:
        raise SystemExit(1)


async def _storm(plan: Plan, settings: Settings, home: Path) -> Report:
    """On a cluster of its own."""
    if plan.network:
        async with surroundings(plan, home) as around:
            return await storm(plan, settings, around.network.cluster, home, around=around)
    if plan.locked:
        with locked_kafka(home, nodes=3) as locked:
            return await storm(plan, settings, locked.cluster, home, locked=locked)
    with kafka_cluster(home / "kafka", nodes=3) as cluster:
        return await storm(plan, settings, cluster, home)


if __name__ == "__main__":
    main()
