"""What telemetry costs the worker: nothing exported, metrics alone, and traces of a part or of all.

    python -m benchmarks.telemetry [--interactions 2000] [--rounds 3]

The same worker with other ``OTEL_*``, in turns on one Apache Kafka, on events that event and table
settle: they are the cheapest, so telemetry is the largest part of them. Metrics are counted in each
of them. The collector is a process of its own that throws away what it gets: it works on the same
cores, and is not in the CPU of an event.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click

from benchmarks.harness import ROOT, announced, broker, process
from benchmarks.suite.figures import CPU, RATE, Ratio
from benchmarks.suite.load import no_calls
from benchmarks.suite.scenario import Scenario
from benchmarks.suite.trials import Throughput

OFF = "nothing exported"

# Metrics as often as a careful operator would have them sent, so that a short run has some.
METRICS = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "5000"}


@dataclass(frozen=True, slots=True)
class Exporting:
    """The worker with these variables; a contender of the suite."""

    name: str
    variables: Mapping[str, str]

    def prepare(self) -> None:
        """The environment that measures has all it needs."""

    def command(self) -> Sequence[str]:
        pairs = [f"{name}={value}" for name, value in self.variables.items()]
        return ("env", *pairs, sys.executable, "-m", "streams", "worker")


def variants(collector: str) -> list[Exporting]:
    to = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector}
    every = METRICS | to | {"OTEL_TRACES_EXPORTER": "otlp"}
    some = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.05"}
    return [
        Exporting(OFF, {}),
        Exporting("metrics", METRICS | to | {"OTEL_TRACES_EXPORTER": "none"}),
        Exporting("metrics and 5 % of the traces", every | some),
        Exporting("metrics and all traces", every),
    ]


class Discarding(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Its requests are no part of the figures."""


@contextmanager
def collector() -> Iterator[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "benchmarks.telemetry", "collect")
    with process(*command, env=env, cwd=ROOT) as child:
        yield announced(child)


@click.group(invoke_without_command=True)
@click.option("--interactions", default=2_000, show_default=True, help="A turn; 8 events of each.")
@click.option("--rounds", default=3, show_default=True, help="Turns of each.")
@click.pass_context
def main(ctx: click.Context, interactions: int, rounds: int) -> None:
    """Print the figures of each variant, and their ratios to the one that exports nothing."""
    if ctx.invoked_subcommand is not None:
        return
    load = no_calls(interactions)
    with (
        tempfile.TemporaryDirectory() as home,
        broker(kafka=True, home=Path(home)) as servers,
        collector() as url,
    ):
        exporting = variants(url)
        scenario = Scenario(
            "telemetry",
            {each.name: Throughput(each, load) for each in exporting},
            rounds,
            ratios=[
                Ratio(measure, each.name, OFF)
                for each in exporting
                if each.name != OFF
                for measure in (RATE, CPU)
            ],
        )
        found = scenario.measure(servers, lambda line: click.echo(line, err=True))
    click.echo(f"Apache Kafka, one node, {load.events} events a turn, {rounds} rounds: medians")
    for each in found:
        low, high = each.spread
        shown = f"{each.value:,.3g} {each.unit}"
        click.echo(f"{each.contender:30} {each.what:40} {shown:12} ({low:,.3g} to {high:,.3g})")


@main.command(hidden=True)
def collect() -> None:
    """The collector; prints where it listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Discarding)
    click.echo(f"url=http://127.0.0.1:{server.server_port}")
    server.serve_forever()


if __name__ == "__main__":
    main()
