"""``genesys-streams simulator``: a simulated Genesys Cloud in the foreground."""

from __future__ import annotations

import asyncio

import click

from streams.cli.serving import serve
from streams.errors import SettingsError
from streams.local.generator.population import DEFAULT_INTERACTIONS, DEFAULT_SEED, population
from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import CHAOS, NO_FAULTS
from streams.local.simulator.latency import Latency
from streams.local.simulator.ratelimit import DEFAULT_REQUESTS_PER_MINUTE
from streams.local.simulator.server import serving
from streams.local.simulator.tokens import DEFAULT_LIFETIME_SECONDS, Client


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port",
    default=8090,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0: one that is free.",
)
@click.option(
    "--interactions",
    default=DEFAULT_INTERACTIONS,
    show_default=True,
    type=click.IntRange(0),
    help="So many of the seed's interactions are known; at least as many as generate sends.",
)
@click.option("--seed", default=DEFAULT_SEED, show_default=True, help="The same as generate's.")
@click.option(
    "--latency-ms",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Median time an answer takes.",
)
@click.option(
    "--latency-spread",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0),
    help="0: always the median; 0.5: one in a hundred takes three times as long.",
)
@click.option(
    "--rate-limit",
    default=DEFAULT_REQUESTS_PER_MINUTE,
    show_default=True,
    type=click.IntRange(1),
    help="Requests a minute per token; 429 beyond.",
)
@click.option(
    "--one-budget", is_flag=True, help="All tokens share the rate limit, as a client's may."
)
@click.option(
    "--token-seconds",
    default=DEFAULT_LIFETIME_SECONDS,
    show_default=True,
    type=click.IntRange(1),
    help="How long a token is good.",
)
@click.option("--client-id", help="Let in this client alone; any by default.")
@click.option("--client-secret", help="Goes with --client-id.")
@click.option(
    "--chaos", is_flag=True, help="Errors, time-outs and lost connections at small rates."
)
def simulator(
    *,
    host: str,
    port: int,
    interactions: int,
    seed: int,
    latency_ms: float,
    latency_spread: float,
    rate_limit: int,
    one_budget: bool,
    token_seconds: int,
    client_id: str | None,
    client_secret: str | None,
    chaos: bool,
) -> None:
    """A simulated Genesys Cloud. Prints base_url=URL once it listens.

    It knows the interactions that generate makes from the same seed, with no need for the two to
    talk. GET /_simulator/counters shows what took effect. What goes wrong is set while it runs,
    with curl -X PUT -d BODY URL/_simulator/WHAT:

    \b
    PUT /_simulator/faults {"rates": [{"rate": 0.1, "fault": {"status": 500}}]}
        one in ten GET and PATCH fails so; a fault may also be
        {"timeout": true}, {"drop": "before-apply"} or {"delayMs": 500};
        the body {} ends them all
    PUT /_simulator/outage {"status": 503}
        every request fails so, until DELETE /_simulator/outage
    PUT /_simulator/latency {"medianMs": 300, "spread": 0.5}
        as --latency-ms and --latency-spread
    PUT /_simulator/conversations?startsAt=now [SCENARIO, …]
        conversations of the public API that change over time; GET
        /_simulator/writes shows which wrap-up code was sent when
    POST /_simulator/tokens/revoke
        no token issued so far is good any more
    """
    if (client_id is None) != (client_secret is None):
        raise click.UsageError("--client-id and --client-secret go together.")
    org = Simulator(
        (interaction.truth for interaction in population(seed, interactions)),
        seed=seed,
        plan=CHAOS if chaos else NO_FAULTS,
        latency=Latency(latency_ms, latency_spread),
        requests_per_minute=rate_limit,
        one_budget=one_budget,
        client=Client(client_id, client_secret) if client_id and client_secret else None,
        token_lifetime=token_seconds,
    )

    async def main(stop: asyncio.Event) -> None:
        try:
            async with serving(org, host=host, port=port) as base_url:
                click.echo(f"base_url={base_url}")
                await stop.wait()
        except OSError as exc:
            raise SettingsError(f"--port: cannot listen on {host}:{port}: {exc}") from exc

    serve(main)
