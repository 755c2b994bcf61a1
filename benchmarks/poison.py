"""One record in ten is garbage: does lag grow, and what becomes of each? Needs Apache Kafka.

    python -m benchmarks.poison [--per-second 200] [--seconds 60]

The generator's stream goes into the topic at a steady rate, one worker on it. Twice: nine in ten
records are events at the same times, and the tenth is nothing, or garbage of every kind that
hypothesis finds (tests/support/garbage.py). Four times a second, from outside: the end of each
partition less its committed offset. Exit 1 unless

* with garbage, lag in the last third of the stream is not above that of the first third, and over
  all of it not above that of the run without, in seconds of the stream: by more than NOISE standard
  errors of the difference, and more than TRIFLE,
* no partition is further behind than BEHIND_SECONDS of its share of the stream at the end of it,
* each garbage record is one dead letter with the same key, bytes and place, and one outcome that is
  `failed`, `malformed-event`; every event is decided as the model says, with not a call more.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from benchmarks.throughput import broker
from streams.kafka.connection import librdkafka_options
from streams.kafka.topics import apply_topics, verify_topics
from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.local.simulator.api import Simulator
from streams.local.simulator.latency import Latency
from streams.local.simulator.server import serving
from streams.settings import Settings
from tests.support.garbage import Garbage, garbage
from tests.support.journey import CODE, UNLIMITED
from tests.support.poisoned import ONE_IN, Poisoned, mixed
from tests.support.workers import eventually, free_port, workers

SEED = 17
EVENTS_AN_INTERACTION = 8
LATENCY = Latency(20, 0.4)

SAMPLE_SECONDS = 0.25

# A commit a second makes a sawtooth of the lag: two of them are one observation.
BLOCK_SECONDS = 2.0

# One run in some hundred of a lag that does not grow would be beyond it.
NOISE = 3.0

# In seconds of the stream: a tenth of the commit's own second is no growth, however surely seen.
TRIFLE = 0.1

# A partition that one record holds up for good is further behind than this by the end of any run;
# one whose records wait for a commit and a slow call is not.
BEHIND_SECONDS = 5.0

# Before the stream's first third begins: the first calls, connections and the token.
WARM_SECONDS = 3.0

DRAIN_SECONDS = 30.0
ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Lag:
    """``at``: seconds since the stream began. ``most``: of any one partition."""

    at: float
    records: int
    most: int


class LagWatch:
    """What every monitoring of a Kafka cluster shows of a consumer group."""

    def __init__(self, settings: Settings, partitions: int, topic: str | None = None) -> None:
        """``topic``: ``events`` without one."""
        self._admin = AdminClient(librdkafka_options(settings.kafka))
        self._group = settings.app_id
        name = topic or settings.topics.events
        self._places = [TopicPartition(name, each) for each in range(partitions)]

    def behind(self) -> list[int]:
        """Of each partition: its end less the committed offset."""
        request = ConsumerGroupTopicPartitions(self._group, self._places)
        answer = self._admin.list_consumer_group_offsets([request])[self._group]
        committed = {
            each.partition: max(0, each.offset)
            for each in answer.result(ANSWER_SECONDS).topic_partitions
        }
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the library's one hole
        ends = self._admin.list_offsets(dict.fromkeys(self._places, latest))
        return [
            end.result(ANSWER_SECONDS).offset - committed[at.partition] for at, end in ends.items()
        ]

    async def watch(self, samples: list[Lag]) -> None:
        began = time.monotonic()
        while True:
            behind = await asyncio.to_thread(self.behind)
            samples.append(Lag(time.monotonic() - began, sum(behind), max(behind)))
            await asyncio.sleep(SAMPLE_SECONDS)


@dataclass(frozen=True, slots=True)
class Level:
    """How high the lag was for a time: the mean of its blocks, and their standard error; seconds of
    the stream."""

    mean: float
    error: float

    @classmethod
    def of(cls, samples: Sequence[Lag], per_second: float, begin: float, end: float) -> Level:
        blocks: dict[int, list[float]] = {}
        for each in samples:
            if begin <= each.at < end:
                block = int((each.at - begin) / BLOCK_SECONDS)
                blocks.setdefault(block, []).append(each.records / per_second)
        means = [statistics.fmean(block) for block in blocks.values()]
        return cls(statistics.fmean(means), statistics.stdev(means) / len(means) ** 0.5)

    def above(self, other: Level) -> bool:
        """Beyond noise."""
        error = float((self.error**2 + other.error**2) ** 0.5)
        return self.mean - other.mean > max(NOISE * error, TRIFLE)

    def __str__(self) -> str:
        return f"{self.mean:6.3f} ± {self.error:.3f} s"


@dataclass(frozen=True, slots=True)
class Run:
    """One run's lag, in seconds of the stream, and what was judged. ``most``: of the worst
    partition at the end, of its own share."""

    first: Level
    last: Level
    whole: Level
    most: float
    drained: float
    events: int
    kinds: dict[str, int]
    bytes: int


async def run(servers: str, home: Path, per_second: int, seconds: float, *, poisoned: bool) -> Run:
    records = int(per_second * seconds)
    people = population(SEED, records // EVENTS_AN_INTERACTION + 1)
    events = list(stream(people, SEED))[: records - records // ONE_IN]
    bad: list[Garbage] = garbage(records // ONE_IN, events, SEED) if poisoned else []
    simulator = Simulator(
        [one.truth for one in people], seed=SEED, latency=LATENCY, requests_per_minute=UNLIMITED
    )
    async with serving(simulator) as url:
        app_id = f"poison-{uuid.uuid4().hex[:8]}"
        settings = Settings.load(
            _env_file=None,
            kafka_bootstrap_servers=servers,
            genesys_cloud_base_url=url,
            genesys_cloud_client_id="benchmark",
            genesys_cloud_client_secret="benchmark",
            disposition_code_id=CODE,
            topic_prefix=f"{app_id}.",
            app_id=app_id,
            data_dir=home / app_id,
            worker_port=free_port(),
            lag_window_seconds=0,  # each look more would be a call that is not wasted
        )
        await asyncio.to_thread(apply_topics, settings.kafka)
        partitions = (await asyncio.to_thread(verify_topics, settings.kafka)).partitions
        centre = Poisoned(settings, simulator, {one.id: dict(one.truth) for one in people})
        lags = LagWatch(settings, partitions)
        samples: list[Lag] = []
        with workers({app_id: settings}, home) as started:
            worker = started[app_id]
            worker.start()
            await worker.ready()
            watching = asyncio.create_task(lags.watch(samples))
            await centre.send_mixed(mixed(events, bad, SEED), seconds=seconds)
            watching.cancel()
            await asyncio.wait([watching])
            sent = time.monotonic()

            async def at_the_end() -> bool:
                return not sum(await asyncio.to_thread(lags.behind))

            await eventually(at_the_end, DRAIN_SECONDS, "all is committed")
            drained = time.monotonic() - sent
            worker.terminate()
        decided = await centre.judge()
        kinds = await centre.judge_garbage()
        centre.assert_no_call_wasted()
    rate = len(centre.sent) / seconds + len(centre.garbage) / seconds
    third = (seconds - WARM_SECONDS) / 3
    return Run(
        first=Level.of(samples, rate, WARM_SECONDS, WARM_SECONDS + third),
        last=Level.of(samples, rate, seconds - third, seconds),
        whole=Level.of(samples, rate, WARM_SECONDS, seconds),
        most=samples[-1].most / (rate / partitions),
        drained=drained,
        events=decided.total(),
        kinds=dict(kinds),
        bytes=sum(len(each.value or b"") for each in centre.garbage.values()),
    )


def show(without: Run, beside: Run) -> bool:
    """Print the figures; whether lag is as the module docstring wants it."""
    print("lag, in seconds of the stream       without             one in ten garbage")
    for name, of in (("first third", "first"), ("last third", "last"), ("all of it", "whole")):
        print(f"  {name:24} {getattr(without, of)!s:>18}   {getattr(beside, of)!s:>18}")
    print(f"  worst partition, at the end   {without.most:10.2f} s {beside.most:17.2f} s")
    print(f"committed to the end after      {without.drained:10.2f} s {beside.drained:17.2f} s")
    print(f"events decided as the model says {without.events:9d} {beside.events:19d}")
    print(f"garbage, each one dead letter    {sum(without.kinds.values()):9d}", end=" ")
    print(f"{sum(beside.kinds.values()):19d}  ({beside.bytes / 1e6:.1f} MB)")
    for kind, count in sorted(beside.kinds.items()):
        print(f"  {count:6d}  {kind}")
    return not (
        beside.last.above(beside.first)
        or beside.whole.above(without.whole)
        or beside.most > BEHIND_SECONDS
    )


async def both(per_second: int, seconds: float) -> bool:
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        without, beside = [
            await run(servers, Path(home), per_second, seconds, poisoned=poisoned)
            for poisoned in (False, True)
        ]
    return show(without, beside)


@click.command()
@click.option("--per-second", default=200, show_default=True, type=click.IntRange(10))
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(20))
def main(per_second: int, seconds: float) -> None:
    if not asyncio.run(both(per_second, seconds)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
