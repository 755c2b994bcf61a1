"""``genesys-streams worker``."""

from __future__ import annotations

import asyncio

import click

from streams.cli.serving import serve
from streams.cli.signals import nothing_begun


@click.command()
def worker() -> None:
    """Decide every event: the Faust worker."""
    with nothing_begun():
        from streams.settings import Settings
        from streams.telemetry import otel

        # Missing settings are reported before anything is started.
        settings = Settings.load(
            Settings.genesys,
            Settings.check_policy,
            Settings.advertised_url,
            Settings.worker_api_keys,
            Settings.worker_tls,
            Settings.peers_tls,
            otel.prepare,
        )
        from streams.telemetry import logging, metering, tracing
        from streams.worker.garbage import search_rarely
        from streams.worker.http import check_worker_address
        from streams.worker.run import run_worker

        logging.configure(settings.log_format, settings.log_level)
        traces = tracing.configure("genesys-streams-worker", settings.worker_instance_id)
        export = metering.configure(traces.resource)
        search_rarely()

    async def main(stop: asyncio.Event) -> None:
        await check_worker_address(settings.worker_host, settings.worker_port)
        await run_worker(settings, stop, export)

    try:
        serve(main)
    finally:
        tracing.shutdown()
        export.close()
