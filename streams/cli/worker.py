"""``genesys-streams worker``."""

from __future__ import annotations

import asyncio

import click

from streams.cli.serving import serve
from streams.settings import Settings


@click.command()
def worker() -> None:
    """Decide every event: the Faust worker."""
    from streams.telemetry import logging, tracing
    from streams.worker.run import run_worker
    from streams.worker.server import check_worker_address

    settings = Settings.load()
    # Whatever is missing is said before anything is started.
    settings.genesys()
    settings.disposition_code()
    logging.configure(settings.log_format, settings.log_level)
    tracing.configure("genesys-streams-worker", settings.worker_instance_id)

    async def main(stop: asyncio.Event) -> None:
        await check_worker_address(settings)
        await run_worker(settings, stop)

    try:
        serve(main)
    finally:
        tracing.shutdown()
