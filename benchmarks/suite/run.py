"""Runs scenarios on one Apache Kafka, and keeps what came of them."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
import msgspec
from confluent_kafka import KafkaException

from benchmarks.harness import broker
from benchmarks.suite.contest import WROTE
from benchmarks.suite.figures import Figure
from benchmarks.suite.results import Run, write
from benchmarks.suite.scenario import Scenario

# Kafka's own default, which scripts/kafka sets to none: processes that are started together are
# all in the first generation of their group, so no rebalance is measured.
TOGETHER = "group.initial.rebalance.delay.ms=3000"

# A broker that gets no CPU for six seconds, which scripts/kafka allows, is fenced by its own
# controller, and its partitions lose their leader. It has nobody to fail over to.
UNFENCED = "broker.session.timeout.ms=60000"

QUICK = 0.1

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Size:
    """``share``: of the events of a whole run. ``rounds``: of each scenario."""

    share: float
    rounds: int

    def events(self, whole: int, *, least: int = 1) -> int:
        return max(least, round(whole * self.share))


def options(rounds: int) -> Callable[[Command], Command]:
    """Those of both commands."""

    def decorate(command: Command) -> Command:
        for option in (
            click.option("--only", multiple=True, help="This scenario; may be given repeatedly."),
            click.option("--rounds", default=rounds, show_default=True, type=click.IntRange(1)),
            click.option(
                "--share",
                default=1.0,
                show_default=True,
                type=click.FloatRange(0, min_open=True),
                help="Of the events of a whole run.",
            ),
            click.option("--quick", is_flag=True, help="A tenth of the events, one round."),
            click.option(
                "--results",
                default="benchmarks/results",
                show_default=True,
                type=click.Path(file_okay=False, path_type=Path),
                help="Where the JSON of the run goes.",
            ),
        ):
            command = option(command)
        return command

    return decorate


def size_of(*, quick: bool, share: float, rounds: int) -> Size:
    return Size(QUICK, 1) if quick else Size(share, rounds)


def judged(figures: Sequence[Figure], size: Size) -> list[Figure]:
    """A goal is of a whole run: fewer events say nothing of it, however good they look."""
    if size.share == 1:
        return list(figures)
    return [msgspec.structs.replace(each, reached=None) for each in figures]


def run(
    kind: str, scenarios: Sequence[Scenario], only: Sequence[str], size: Size, results: Path
) -> Run:
    """Measure, and write the results after each scenario: what fails later takes nothing along."""
    chosen = [each for each in scenarios if not only or each.name in only]
    if unknown := set(only) - {each.name for each in scenarios}:
        known = ", ".join(dict.fromkeys(each.name for each in scenarios))
        raise click.UsageError(f"no scenario {', '.join(sorted(unknown))}; there are: {known}")
    for contender in {
        each.name: each for one in chosen for trial in one.trials.values() for each in trial.needs
    }.values():
        contender.prepare()
    made, began = Run.begin(kind, size.share), time.monotonic()
    # A run that is ended takes its broker and its contenders along.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:6.0f} s  {text}")

    settings = (TOGETHER, UNFENCED)
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home), *settings) as servers:
        for scenario in chosen:
            try:
                found = judged(scenario.measure(servers, say), size)
                made = msgspec.structs.replace(made, figures=(*made.figures, *found))
            except (click.ClickException, KafkaException) as failure:
                say(f"{scenario.title} FAILED: {failure}")
                why = f"{scenario.title}: {str(failure).partition(WROTE)[0]}"
                made = msgspec.structs.replace(made, failures=(*made.failures, why))
            file = write(made, results)
    say(f"written to {file}")
    return made
