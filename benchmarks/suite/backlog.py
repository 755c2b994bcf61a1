"""One worker on a backlog of events of distinct interactions: its rate, and whether memory is flat.

The table grows by one interaction an event, which is the worst that can come. Beside the rate and
the memory, the frontier is watched: no committed offset may ever be past an event without an
outcome.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import click

from benchmarks.contenders.contender import Contender
from benchmarks.suite.cluster import topics
from benchmarks.suite.contest import USUAL, Conditions, Contest, api, contest
from benchmarks.suite.figures import GROWTH, PEAK, RATE, RESIDENT
from benchmarks.suite.load import no_calls
from benchmarks.watch import FrontierWatch, Memory
from streams.settings import Settings

# Between two looks at the frontier: each reads all outcomes since the last.
SAMPLE_SECONDS = 0.5

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """``at``: seconds on a monotonic clock. ``resident``: bytes. ``published``: events that have an
    outcome."""

    at: float
    resident: int
    published: int


@dataclass(slots=True)
class Watch:
    """Memory and frontier, twice a second."""

    pid: int
    frontier: FrontierWatch
    samples: list[Sample] = field(default_factory=list)

    def look(self) -> None:
        if self.samples and time.monotonic() - self.samples[-1].at < SAMPLE_SECONDS:
            return
        self.frontier.look()
        resident = Memory.of(self.pid).resident
        self.samples.append(Sample(time.monotonic(), resident, self.frontier.records_published))


@dataclass(frozen=True, slots=True)
class Backlog:
    """So many events, each of an interaction of its own, are there before the contender starts."""

    contender: Contender
    events: int
    conditions: Conditions = USUAL

    @property
    def needs(self) -> Sequence[Contender]:
        return (self.contender,)

    def measure(self, servers: str) -> Mapping[str, float]:
        load, partitions = no_calls(self.events, quiet=1), self.conditions.partitions
        with topics(servers, partitions) as made, api(0.0, patch=False) as asked:
            made.put(made.names.events, load.messages(made.run))
            with (
                contest(self.contender, self.conditions, made, asked.url) as running,
                closing(FrontierWatch(_settings(running), partitions)) as frontier,
            ):
                watch = Watch(running.pids[0], frontier)
                running.finish(load.events, watch.look)
                frontier.look()
                if frontier.lies:
                    raise running.failed(f"committed past unfinished events: {frontier.lies[0]}")
                outcomes = running.outcomes()
        return {
            RATE: (len(outcomes) - 1) / (outcomes[-1].at - outcomes[0].at),
            RESIDENT: watch.samples[-1].resident / MIB,
            PEAK: max(each.resident for each in watch.samples) / MIB,
            GROWTH: growth(watch.samples, load.events),
        }


def _settings(running: Contest) -> Settings:
    values = {name.lower(): value for name, value in running.settings[0].items()}
    return Settings.load(_env_file=None, **values)


def growth(samples: Sequence[Sample], events: int) -> float:
    """The largest resident size of the last three quarters of the events over the median of the
    second eighth, by when caches and write buffers are full. Flat is 1."""
    early = [one.resident for one in samples if events / 8 <= one.published < events / 4]
    later = [one.resident for one in samples if one.published >= events / 4]
    if not early or not later:
        raise click.ClickException(f"{events} events are too few to see whether memory is flat")
    return max(later) / statistics.median(early)
