"""``genesys-streams console``."""

from __future__ import annotations

import click

from streams.cli.serving import serve
from streams.cli.signals import nothing_begun


@click.command()
def console() -> None:
    """The operator's page: is it us or Genesys, and what became of this call?

    Listens on CONSOLE_HOST and CONSOLE_PORT. It only reads, from Kafka into an index of its own
    below DATA_DIR, and from the workers of WORKER_URLS; a redrive takes a key of
    CONSOLE_API_KEY.
    """
    with nothing_begun():
        from streams.settings import Settings

        # Missing settings are reported before anything is started.
        settings = Settings.load(
            Settings.console_api_keys,
            Settings.console_tls,
            Settings.console_worker_urls,
            Settings.peers_tls,
        )
        from streams.console.run import run_console
        from streams.telemetry import logging

        logging.configure(settings.log_format, settings.log_level)
    serve(lambda stop: run_console(settings, stop))
