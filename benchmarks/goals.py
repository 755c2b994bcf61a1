"""The worker beside its peers: every goal that the project has for its speed, in one run.

    python -m benchmarks.goals [--quick] [--only NAME] [--rounds 3] [--share 1.0]

All contenders on one Apache Kafka, in turns, several rounds; medians and spread, as JSON in
benchmarks/results. Exit 1 if any contender failed or did anything wrong; a goal that is not reached
is shown, and is no failure of the run. docs/performance.md says what each scenario is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.contenders.parallel import PARALLEL_CONSUMER
from benchmarks.contenders.python import TEXTBOOK, TEXTBOOK_WITH_CALLS, WORKER
from benchmarks.contenders.quix import QUIX
from benchmarks.suite.backlog import Backlog
from benchmarks.suite.contest import Conditions
from benchmarks.suite.figures import (
    ADDED_MEDIAN,
    ADDED_P99,
    CPU,
    GROWTH,
    OF_POSSIBLE,
    PEAK,
    RATE,
    RESIDENT,
    RESTORED,
    Goal,
    Ratio,
)
from benchmarks.suite.load import calls, mixed, no_calls
from benchmarks.suite.restoring import (
    ConsumerReads,
    WorkerRestores,
    with_aiokafka,
    with_librdkafka,
)
from benchmarks.suite.run import Size, options, run, size_of
from benchmarks.suite.scenario import Scenario
from benchmarks.suite.tables import goals_table
from benchmarks.suite.trials import AddedLatency, Throughput, Trial

OURS, PEER, AGENT, QUIXSTREAMS = (each.name for each in (WORKER, PARALLEL_CONSUMER, TEXTBOOK, QUIX))
TWO = "worker, two processes"
WITHOUT_CALLS = "worker, no calls"
AIOKAFKA, LIBRDKAFKA = "bare consumer, aiokafka", "bare consumer, librdkafka"

# So that each record of a wave that is at work at once is one of many.
FEWEST_CALLS = 400


def over(what: str, ours: str, other: str, bound: float) -> tuple[Ratio, Goal]:
    """A ratio, and the goal that it has."""
    ratio = Ratio(what, ours, other)
    return ratio, Goal(ratio.what, ours, bound)


def scenarios(size: Size) -> Sequence[Scenario]:
    return [
        _no_calls(size),
        *_calls(size),
        _few_in_flight(size),
        _patches(size),
        _mixed(size),
        _latency(size),
        _restoration(size),
        _backlog(size),
    ]


def _no_calls(size: Size) -> Scenario:
    load = no_calls(size.events(10_000, least=100))
    agent, agent_goal = over(RATE, OURS, AGENT, 7)
    quix, quix_goal = over(RATE, OURS, QUIXSTREAMS, 0.6)
    return Scenario(
        "no-calls",
        {each.name: Throughput(each, load) for each in (WORKER, TEXTBOOK, QUIX)},
        size.rounds,
        ratios=(agent, quix),
        goals=(agent_goal, quix_goal, Goal(CPU, OURS, 0.05, at_most=True)),
    )


def _calls(size: Size) -> Sequence[Scenario]:
    made = []
    for latency, events, bound in ((100, 8_000, 1.05), (50, 8_000, 1.2), (10, 10_000, 1.2)):
        load, one = calls(size.events(events, least=FEWEST_CALLS)), Conditions(latency_ms=latency)
        trials: dict[str, Trial] = {
            each.name: Throughput(each, load, one) for each in (WORKER, PARALLEL_CONSUMER)
        }
        compared = [over(RATE, OURS, PEER, bound)]
        if latency == 10:
            trials[TWO] = Throughput(WORKER, load, Conditions(latency_ms=latency, processes=2))
            compared.append(over(RATE, TWO, PEER, 1.5))
        goals = [goal for _, goal in compared]
        if latency == 100:
            goals.append(Goal(OF_POSSIBLE, OURS, 0.95))
        ratios = [ratio for ratio, _ in compared]
        made.append(Scenario(f"calls-{latency}-ms", trials, size.rounds, ratios, goals))
    return made


def _few_in_flight(size: Size) -> Scenario:
    conditions = Conditions(latency_ms=100, in_flight=20)
    load = calls(size.events(2_000, least=FEWEST_CALLS))
    return Scenario(
        "calls-20-in-flight",
        {each.name: Throughput(each, load, conditions) for each in (WORKER, PARALLEL_CONSUMER)},
        size.rounds,
        ratios=(Ratio(RATE, OURS, PEER),),
        goals=(Goal(OF_POSSIBLE, OURS, 0.95),),
    )


def _patches(size: Size) -> Scenario:
    """The whole job, a GET and a PATCH; the textbook agent does one after the other."""
    load = calls(size.events(4_000, least=FEWEST_CALLS), patch=True)
    few = calls(size.events(40, least=10), patch=True)
    both = Conditions(latency_ms=100)
    trials: dict[str, Trial] = {
        each.name: Throughput(each, load, both) for each in (WORKER, PARALLEL_CONSUMER)
    }
    trials[AGENT] = Throughput(TEXTBOOK_WITH_CALLS, few, Conditions(latency_ms=100, in_flight=1))
    ratios = (Ratio(RATE, OURS, PEER), Ratio(RATE, OURS, AGENT))
    return Scenario("get-and-patch", trials, size.rounds, ratios)


def _mixed(size: Size) -> Scenario:
    """With so many in flight that the API could take ten thousand calls a second."""
    conditions = Conditions(latency_ms=100, in_flight=1_000)
    interactions = size.events(4_000, least=2_000)
    ratio, goal = over(RATE, OURS, WITHOUT_CALLS, 0.9)
    return Scenario(
        "one-call-in-nine",
        {
            OURS: Throughput(WORKER, mixed(interactions, quiet=8), conditions),
            WITHOUT_CALLS: Throughput(WORKER, no_calls(interactions), conditions),
        },
        size.rounds,
        ratios=(ratio,),
        goals=(goal,),
    )


def _latency(size: Size) -> Scenario:
    conditions = Conditions(latency_ms=100)
    events, half = size.events(6_000, least=FEWEST_CALLS), conditions.possible(1) / 2
    return Scenario(
        "added-latency",
        {
            each.name: AddedLatency(each, events, half, conditions)
            for each in (WORKER, PARALLEL_CONSUMER)
        },
        size.rounds,
        ratios=(Ratio(ADDED_MEDIAN, OURS, PEER),),
        goals=(
            Goal(ADDED_MEDIAN, OURS, 10, at_most=True),
            Goal(ADDED_P99, OURS, 40, at_most=True),
        ),
    )


def _restoration(size: Size) -> Scenario:
    records = size.events(1_000_000, least=20_000)
    over_aiokafka, goal = over(RESTORED, OURS, AIOKAFKA, 0.5)
    return Scenario(
        "restoration",
        {
            OURS: WorkerRestores(records),
            AIOKAFKA: ConsumerReads(records, with_aiokafka),
            LIBRDKAFKA: ConsumerReads(records, with_librdkafka),
        },
        _few(size.rounds),
        ratios=(over_aiokafka, Ratio(RESTORED, OURS, LIBRDKAFKA)),
        goals=(goal,),
    )


def _backlog(size: Size) -> Scenario:
    return Scenario(
        "backlog",
        {OURS: Backlog(WORKER, size.events(1_000_000, least=50_000))},
        _few(size.rounds),
        goals=(
            Goal(RATE, OURS, 15_000),
            Goal(RESIDENT, OURS, 250, at_most=True),
            Goal(PEAK, OURS, 400, at_most=True),
            Goal(GROWTH, OURS, 1.15, at_most=True),
        ),
    )


def _few(rounds: int) -> int:
    """Rounds of a scenario that takes minutes: its length smooths out what strikes a short one."""
    return max(1, rounds // 3)


@click.command()
@options(rounds=3)
def main(only: tuple[str, ...], rounds: int, share: float, quick: bool, results: Path) -> None:
    size = size_of(quick=quick, share=share, rounds=rounds)
    made = run("goals", scenarios(size), only, size, results)
    click.echo(f"\n{goals_table(made)}")
    if made.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
