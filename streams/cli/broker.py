"""``genesys-streams broker``."""

from __future__ import annotations

import asyncio

import click

from streams.cli.serving import serve


@click.command()
def broker() -> None:
    """The embedded Kafka broker: in memory, on a free port of 127.0.0.1, until Ctrl-C.

    Its first line on stdout is bootstrap.servers=HOST:PORT. Good for a try: every topic has four
    partitions, of which each keeps some 5 MiB and then drops its oldest records without a word.
    """
    from streams.local.broker import EmbeddedBroker

    async def until_stopped(stop: asyncio.Event) -> None:
        with EmbeddedBroker() as embedded:
            servers = embedded.bootstrap_servers
            click.echo(f"bootstrap.servers={servers}")
            click.echo(
                "gone with all its records when this command ends; for the other commands: "
                f"export KAFKA_BOOTSTRAP_SERVERS={servers}",
                err=True,
            )
            await stop.wait()

    serve(until_stopped)
