"""``genesys-streams bridge``."""

from __future__ import annotations

import importlib.util

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
        settings = Settings.load(Settings.bridge_api_keys, Settings.bridge_tls, otel.prepare)
        from streams.bridge.http.run import run_http_bridge
        from streams.telemetry import logging, metering, tracing

        logging.configure(settings.log_format, settings.log_level)
        export = metering.configure(tracing.configure("genesys-streams-bridge").resource)
    try:
        serve(lambda stop: run_http_bridge(settings, stop, export))
    finally:
        tracing.shutdown()
        export.close()


@bridge.command()
@click.option(
    "--queue-url", metavar="URL", help="The queue, in the place of BRIDGE_QUEUE_URL.", default=None
)
def sqs(queue_url: str | None) -> None:
    """Take events from a queue of Amazon SQS: the target of an EventBridge rule.

    A message is deleted once Kafka has acknowledged its event, and stays hidden while Kafka is
    away. Health and metrics are on BRIDGE_HOST and BRIDGE_PORT. Credentials and region are AWS'
    own: its variables, profiles and roles, and AWS_ENDPOINT_URL.
    """
    with nothing_begun():
        from streams.settings import Settings
        from streams.telemetry import otel

        given = {} if queue_url is None else {"bridge_queue_url": queue_url}
        settings = Settings.load(
            Settings.queue_url, Settings.bridge_tls, _check_extra, otel.prepare, **given
        )
        from streams.bridge.sqs.run import run_sqs_bridge
        from streams.telemetry import logging, metering, tracing

        logging.configure(settings.log_format, settings.log_level)
        export = metering.configure(tracing.configure("genesys-streams-bridge").resource)
    try:
        serve(lambda stop: run_sqs_bridge(settings, stop, export))
    finally:
        tracing.shutdown()
        export.close()


def _check_extra(_: object) -> None:
    """Raises SettingsError when the client for AWS is not installed."""
    from streams.errors import SettingsError

    if importlib.util.find_spec("aiobotocore") is None:
        raise SettingsError(
            "bridge sqs: needs the package aiobotocore, which is not installed; run "
            "pip install 'genesys-streams[sqs]'"
        )
