"""The long storm, from the command line.

python -m tests.chaos --seconds 1800 --seed 7 [--program textbook | --api conversations] [--mixed]
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from streams.settings import Settings
from tests.chaos.field import OURS, PROGRAMS
from tests.chaos.plan import EVENTS_PER_SECOND, QUIET_SECONDS, Api, Plan
from tests.chaos.schedule import draw
from tests.chaos.storm import PLAYED, storm
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
    schedule: bool,
) -> None:
    """Strike workers, bridge and three brokers for so long; exit 1 if any promise was broken."""
    if locked and program != OURS.name:
        raise click.UsageError(f"--locked: {program} comes to an open Kafka alone")
    if api != "interactions" and program != OURS.name:
        raise click.UsageError(f"--api {api}: {program} knows interactions alone")
    if mixed and program != OURS.name:
        raise click.UsageError(f"--mixed: {program} has no releases")
    plan = Plan(
        seed,
        seconds,
        PROGRAMS[program],
        rate,
        quiet,
        locked=locked,
        api=api,
        releases=(built_last_release(), THIS) if mixed else (THIS,),
    )
    if schedule:
        for strike in draw(seed, seconds, plan.weather):
            click.echo(str(strike))
        return
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", stream=sys.stderr)
    for name in ("aiokafka", "aiohttp", "streams.bridge"):
        logging.getLogger(name).setLevel("CRITICAL")
    name = f"{program}{'-mixed' if mixed else ''}-{api}-{seed}"
    home = (home or HOME / name).resolve()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    settings = Settings.load(_env_file=None, topic_prefix="storm.", app_id="storm")
    with ExitStack() as stack:
        locks = stack.enter_context(locked_kafka(home, nodes=3)) if locked else None
        cluster = locks.cluster if locks else stack.enter_context(kafka_cluster(home / "kafka", 3))
        came_to = asyncio.run(storm(plan, settings, cluster, home, locks))
    click.echo(came_to.table())
    click.echo(f"logs: {home}")
    if report is not None:
        report.write_bytes(came_to.json())
    if came_to.total:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
