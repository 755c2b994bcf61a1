"""How cost grows: one condition at a time, from little to much.

    python -m benchmarks.sweeps [--quick] [--only NAME] [--rounds 2] [--share 1.0]

All contenders on one Apache Kafka, in turns; JSON in benchmarks/results, and with
`python -m benchmarks.performance` a plot each in docs/performance.md, which explains the bends.
Exit 1 if any contender failed or did anything wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.contenders.contender import Contender
from benchmarks.contenders.parallel import PARALLEL_CONSUMER
from benchmarks.contenders.python import WORKER
from benchmarks.contenders.quix import QUIX
from benchmarks.suite.contest import Conditions
from benchmarks.suite.load import Load, calls, mixed, no_calls
from benchmarks.suite.run import Size, options, run, size_of
from benchmarks.suite.scenario import Scenario
from benchmarks.suite.tables import sweep_table
from benchmarks.suite.trials import Throughput, Trial

# Of a point with calls: so many seconds, if nothing but the API takes time, and no more events than
# take a contender that is limited by its CPU some ten seconds.
SECONDS, MOST_CALLS = 8.0, 8_000

# Waves of records at work at once: the first one does not count, and the last ones are not full.
FEWEST_WAVES = 4


@dataclass(frozen=True, slots=True)
class Sweep:
    """``points``: on the axis; ``scaled``: they shrink with the size of the run. ``load``: what is
    done at a point, and under which conditions."""

    name: str
    axis: str
    points: Sequence[float]
    contenders: Sequence[Contender]
    load: Callable[[float, Size], tuple[Load, Conditions]]
    logarithmic: bool = True
    scaled: bool = False

    def scenarios(self, size: Size) -> list[Scenario]:
        points = [size.events(round(each)) for each in self.points] if self.scaled else self.points
        return [
            Scenario(self.name, self._trials(point, size), size.rounds, at=point)
            for point in points
        ]

    def _trials(self, point: float, size: Size) -> Mapping[str, Trial]:
        load, conditions = self.load(point, size)
        return {each.name: Throughput(each, load, conditions) for each in self.contenders}


def _keys(interactions: float, size: Size) -> tuple[Load, Conditions]:
    """As many events as elsewhere, or one of each interaction where these are more."""
    wanted, events = round(interactions), size.events(80_000, least=500)
    return no_calls(wanted, quiet=max(1, events // wanted)), Conditions()


def _partitions(partitions: float, size: Size) -> tuple[Load, Conditions]:
    return no_calls(size.events(10_000, least=100)), Conditions(partitions=round(partitions))


def _workers(workers: float, size: Size) -> tuple[Load, Conditions]:
    return _called(Conditions(latency_ms=10, processes=round(workers)), size)


def _share(share: float, size: Size) -> tuple[Load, Conditions]:
    conditions = Conditions(latency_ms=50, in_flight=200)
    if share == 0:
        return no_calls(size.events(10_000, least=100)), conditions
    quiet = round(1 / share) - 1
    interactions = size.events(min(MOST_CALLS, 40_000 // (quiet + 1)), least=800)
    return mixed(interactions, quiet), conditions


def _latency(latency_ms: float, size: Size) -> tuple[Load, Conditions]:
    return _called(Conditions(latency_ms=latency_ms), size)


def _in_flight(in_flight: float, size: Size) -> tuple[Load, Conditions]:
    return _called(Conditions(latency_ms=100, in_flight=round(in_flight)), size)


def _called(conditions: Conditions, size: Size) -> tuple[Load, Conditions]:
    wanted = min(MOST_CALLS, round(SECONDS * conditions.possible(1)))
    least = FEWEST_WAVES * conditions.processes * conditions.in_flight
    return calls(size.events(wanted, least=least)), conditions


SWEEPS = (
    Sweep(
        "keys",
        "interactions in the table",
        (1e3, 1e4, 1e5, 1e6),
        (WORKER, QUIX),
        _keys,
        scaled=True,
    ),
    Sweep("partitions", "partitions of events", (1, 4, 12, 32, 64), (WORKER, QUIX), _partitions),
    Sweep("workers", "worker processes", (1, 2, 3, 4), (WORKER,), _workers, logarithmic=False),
    Sweep(
        "share-of-calls",
        "share of events that need a call",
        (0, 1 / 32, 1 / 9, 1 / 4, 1 / 2, 1),
        (WORKER,),
        _share,
        logarithmic=False,
    ),
    Sweep(
        "latency",
        "milliseconds of a call",
        (1, 5, 10, 50, 100, 500),
        (WORKER, PARALLEL_CONSUMER),
        _latency,
    ),
    Sweep(
        "in-flight",
        "records at work at once",
        (10, 30, 100, 300, 1_000),
        (WORKER, PARALLEL_CONSUMER),
        _in_flight,
    ),
)


@click.command()
@options(rounds=2)
def main(only: tuple[str, ...], rounds: int, share: float, quick: bool, results: Path) -> None:
    size = size_of(quick=quick, share=share, rounds=rounds)
    scenarios = [each for sweep in SWEEPS for each in sweep.scenarios(size)]
    made = run("sweeps", scenarios, only, size, results)
    for name in dict.fromkeys(figure.scenario for figure in made.figures):
        click.echo(f"\n{name}\n{sweep_table(made, name)}")
    if made.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
