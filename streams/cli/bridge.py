"""``genesys-streams bridge``."""

from __future__ import annotations

import click

from streams.cli.serving import serve
from streams.cli.signals import nothing_begun


@click.group()
def bridge() -> None:
    """EventBridge into Kafka."""


@bridge.command()
def http() -> None:
    """Take events at POST /events: an EventBridge API destination.

    Listens on BRIDGE_HOST and BRIDGE_PORT (0: any free port, named in the log). An event is
    answered 200 once Kafka has acknowledged it, and 503 while Kafka is away.
    """
    with nothing_begun():
        from streams.settings import Settings
        from streams.telemetry import otel

        # Missing settings are reported before anything is started.
        settings = Settings.load(Settings.bridge_api_keys, otel.prepare)
        from streams.bridge.run import run_bridge
        from streams.telemetry import logging, tracing

        logging.configure(settings.log_format, settings.log_level)
        tracing.configure("genesys-streams-bridge")
    try:
        serve(lambda stop: run_bridge(settings, stop))
    finally:
        tracing.shutdown()
