"""What is measured of one contender in one turn: a rate, or the latency that it adds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import click

from benchmarks.contenders.contender import Contender
from benchmarks.suite.cluster import Stamped, Topics, topics
from benchmarks.suite.contest import USUAL, Api, Conditions, api, contest
from benchmarks.suite.cpu import CpuWatch
from benchmarks.suite.figures import (
    ADDED_MEDIAN,
    ADDED_P99,
    CPU,
    OF_POSSIBLE,
    RATE,
)
from benchmarks.suite.load import Load, calls

# A broker keeps time in milliseconds: nothing that is measured is shorter.
SHORTEST_SECONDS = 0.001

# Events that go before those whose latency is measured: connections, the token, and in Java the
# compiler need them.
WARM_UP = 500


class Trial(Protocol):
    """One turn of one contender."""

    @property
    def needs(self) -> Sequence[Contender]:
        """Contenders that have to be prepared."""

    def measure(self, servers: str) -> Mapping[str, float]:
        """Values by the measure's name. Raises ClickException if anything is not right."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """All events are there before the contender starts."""

    contender: Contender
    load: Load
    conditions: Conditions = USUAL

    @property
    def needs(self) -> Sequence[Contender]:
        return (self.contender,)

    def measure(self, servers: str) -> Mapping[str, float]:
        load, conditions = self.load, self.conditions
        with (
            topics(servers, conditions.partitions) as made,
            api(conditions.latency_ms, patch=load.patch) as asked,
        ):
            made.put(made.names.events, load.messages(made.run))
            with contest(self.contender, conditions, made, asked.url) as running:
                with CpuWatch(running.pids) as cpu:
                    running.finish(load.events)
                outcomes = running.outcomes()
            check_requests(self.contender.name, asked, load)
        steady = after_first_wave(outcomes, conditions.processes * conditions.in_flight)
        since, until = steady[0].at, steady[-1].at
        events = len(steady) - 1
        rate = events / max(SHORTEST_SECONDS, until - since)
        measured = {RATE: rate, CPU: cpu.between(since, until) / events * 1000}
        if load.gets == load.events and conditions.latency_ms:
            measured[OF_POSSIBLE] = rate / conditions.possible(1 + load.patch)
        return measured


@dataclass(frozen=True, slots=True)
class AddedLatency:
    """Events with a call come evenly; from a record in Kafka to its outcome in Kafka, less the time
    that the API took for it."""

    contender: Contender
    events: int
    per_second: float
    conditions: Conditions

    @property
    def needs(self) -> Sequence[Contender]:
        return (self.contender,)

    def measure(self, servers: str) -> Mapping[str, float]:
        first, load = calls(WARM_UP), calls(self.events)
        with (
            topics(servers, self.conditions.partitions) as made,
            api(self.conditions.latency_ms, patch=False) as asked,
            contest(self.contender, self.conditions, made, asked.url) as running,
        ):
            name = made.names.events
            made.put(name, first.messages(f"{made.run}-first"), per_second=self.per_second)
            running.finish(first.events)
            made.put(name, load.messages(made.run), per_second=self.per_second)
            running.finish(first.events + load.events)
            outcomes = running.outcomes()
            seconds = asked.requests().seconds
            counted = {each.encode() for each in load.ids(made.run)}
            added = added_ms(made, outcomes, seconds, counted)
        return {ADDED_MEDIAN: percentile(added, 50), ADDED_P99: percentile(added, 99)}


def added_ms(
    made: Topics,
    outcomes: Sequence[Stamped],
    seconds: Mapping[str, float],
    counted: set[bytes],
) -> list[float]:
    """Milliseconds for each event of the counted interactions."""
    at = {(each.partition, each.offset): each.at for each in made.events()}
    return [
        1000 * (each.at - at[(each.partition, each.offset)] - seconds[each.key.decode()])
        for each in outcomes
        if each.key in counted
    ]


def after_first_wave(outcomes: Sequence[Stamped], at_work: int) -> Sequence[Stamped]:
    """Without the records that are taken up at the start all together: the first of them come
    when one latency has passed, and would count for no time at all."""
    if len(outcomes) < 2 * at_work:
        raise click.ClickException(f"{len(outcomes)} outcomes are too few for {at_work} at work")
    return outcomes[at_work - 1 :]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def check_requests(name: str, asked: Api, load: Load) -> None:
    """Raises ClickException unless the API was asked once for each call, and patched as wanted."""
    requests = asked.requests()
    if (requests.gets, requests.patches) != (load.gets, load.patches):
        raise click.ClickException(
            f"{name}: the API got {requests.gets} GET and {requests.patches} PATCH, "
            f"not {load.gets} and {load.patches}"
        )
