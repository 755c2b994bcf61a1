"""One worker on a backlog: is its memory flat, and does the frontier ever lie? Needs Apache Kafka.

    python -m benchmarks.backlog [--records 1000000] [--plot docs/images/backlog.svg]

The generator's stream (some 9 events an interaction, a tenth delivered twice, a twentieth late) is
in the topic before the worker starts; completed calls cost a GET and, if eligible, a PATCH at the
simulated API, which answers at once, so that the worker's CPU is the limit. Once a second, from
outside: the resident size of the process; the committed offsets, and then the outcomes to their
end. Ends when every outcome is published and every record committed. Exit 1 unless

* no committed offset ever was past a record without an outcome,
* the largest resident size of the last three quarters of the run is at most ALLOWANCE above the
  median of its second eighth, by when caches and write buffers are full.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click
import msgspec
from confluent_kafka import Producer

from benchmarks.plot import Panel, Series, line_chart
from benchmarks.throughput import ROOT, announced, broker, process
from benchmarks.watch import FrontierWatch, Memory
from streams.kafka.topics import apply_topics, verify_topics
from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.settings import Settings

SEED = 4

# The generator gives 8.9 events an interaction; some more interactions than that needs, so that
# the stream is long enough to be cut at the number of records asked for.
EVENTS_AN_INTERACTION = 8

# Room for a garbage collection that comes late and for what a sweep of the table reads.
ALLOWANCE = 0.15

SAMPLE_SECONDS = 1.0

# A worker that publishes nothing for so long is stuck.
STALL_SECONDS = 120.0

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. ``seconds``: since the worker was started."""

    seconds: float
    memory: Memory
    published: int
    committed: int


@dataclass(frozen=True, slots=True)
class Flatness:
    """The measure of the module docstring, in bytes."""

    early: float
    peak: float

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Flatness:
        end = samples[-1].seconds
        early = [one.memory.resident for one in samples if end / 8 <= one.seconds < end / 4]
        later = [one.memory.resident for one in samples if one.seconds >= end / 4]
        return cls(statistics.median(early), max(later))

    @property
    def growth(self) -> float:
        return self.peak / self.early - 1


def load(settings: Settings, records: int, interactions: int) -> None:
    """Put the first ``records`` events of the generator's stream into the topic."""
    apply_topics(settings.kafka)
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 50,
        }
    )
    failures: list[str] = []

    def acknowledged(error: object, _: object) -> None:
        if error is not None:
            failures.append(str(error))

    put = 0
    for event in islice(stream(population(SEED, interactions), SEED), records):
        while True:
            try:
                producer.produce(
                    settings.topics.events,
                    key=event["detail"]["interactionId"].encode(),
                    value=msgspec.json.encode(event),
                    on_delivery=acknowledged,
                )
                break
            except BufferError:  # its queue is full: let it send
                producer.poll(0.1)
        producer.poll(0)
        put += 1
    producer.flush()
    if failures or put != records:
        raise click.ClickException(
            f"{put} of {records} events made, {len(failures)} refused: {failures[:1]}"
        )


def watch(settings: Settings, pid: int, records: int) -> Iterator[tuple[Sample, FrontierWatch]]:
    """A sample a second until every outcome is published and every record committed."""
    started = moved = time.monotonic()
    progress = (0, 0)
    partitions = verify_topics(settings.kafka).partitions
    with closing(FrontierWatch(settings, partitions)) as frontier:
        while progress != (records, records):
            time.sleep(SAMPLE_SECONDS)
            frontier.look()
            now = time.monotonic()
            if progress != (frontier.records_published, frontier.committed):
                progress, moved = (frontier.records_published, frontier.committed), now
            elif now - moved > STALL_SECONDS:
                raise click.ClickException(f"stuck: {progress} of {records} published, committed")
            yield Sample(now - started, Memory.of(pid), *progress), frontier


@contextmanager
def worker(records: int) -> Iterator[tuple[Settings, int, Path]]:
    """A loaded cluster, an API, and a worker that has just been started on them."""
    interactions = records // EVENTS_AN_INTERACTION + 100
    simulator = ["streams", "simulator", "--port", "0", "--rate-limit", "1000000000"]
    simulator += ["--interactions", str(interactions), "--seed", str(SEED)]
    with (
        tempfile.TemporaryDirectory() as home,
        broker(True, Path(home)) as servers,
        process(sys.executable, "-m", *simulator, env=dict(os.environ), cwd=ROOT) as api,
    ):
        app_id = f"backlog-{uuid.uuid4().hex[:8]}"
        named = {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "GENESYS_CLOUD_BASE_URL": announced(api),
            "GENESYS_CLOUD_CLIENT_ID": "benchmark",
            "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
            "GENESYS_REQUESTS_PER_MINUTE": "1000000000",
            "DISPOSITION_CODE_ID": "benchmark",
            "TOPIC_PREFIX": f"{app_id}.",
            "APP_ID": app_id,
            "DATA_DIR": str(Path(home) / "data"),
            "WORKER_PORT": "0",
            "LOG_LEVEL": "warning",
        }
        settings = Settings.load(
            _env_file=None, **{name.lower(): value for name, value in named.items()}
        )
        began = time.monotonic()
        load(settings, records, interactions)
        print(f"{records:,} records loaded in {time.monotonic() - began:.0f} s", flush=True)
        env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
        with process(sys.executable, "-m", "streams", "worker", env=env, cwd=Path(home)) as child:
            yield settings, child.pid, settings.data_dir


def show(samples: Sequence[Sample], frontier: FrontierWatch, records: int, state: int) -> None:
    """Print the figures."""
    first = next(one.seconds for one in samples if one.published)
    seconds = samples[-1].seconds
    print(f"duration        {seconds:10.0f} s, first outcome after {first:.0f} s")
    print(f"rate            {records / (seconds - first):10.0f} records/s")
    print(f"state           {state / MIB:10.0f} MiB on disk")
    print(
        "resident size   median       peak   anonymous   (medians of the tenth of the run before)"
    )
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        so_far = [one.memory for one in samples if one.published / records <= share]
        latest = so_far[-math.ceil(len(samples) / 10) :]
        resident = statistics.median(one.resident for one in latest) / MIB
        anonymous = statistics.median(one.anonymous for one in latest) / MIB
        peak = max(one.resident for one in so_far) / MIB
        print(
            f"  at {share:4.0%}        {resident:6.1f}     {peak:6.1f}      {anonymous:6.1f}  MiB"
        )
    later = [one for one in samples if one.seconds >= seconds / 4]
    slope = statistics.linear_regression(
        [one.published for one in later], [one.memory.resident for one in later]
    ).slope
    print(f"slope           {slope * 100_000 / MIB:10.2f} MiB per 100,000 records, from 25 % on")
    print(f"looks           {len(samples):10d}, frontier lied in {len(frontier.lies)}")
    print(f"published again {frontier.repeated:10d}")
    for decision, count in frontier.decisions.most_common():
        print(f"  {count:10,d}  {decision}")


def chart(samples: Sequence[Sample]) -> str:
    """Resident size and lag over time."""
    minutes = [one.seconds / 60 for one in samples]
    resident = [one.memory.resident / MIB for one in samples]
    anonymous = [one.memory.anonymous / MIB for one in samples]
    left = [(samples[-1].committed - one.committed) / 1000 for one in samples]
    return line_chart(
        "minutes since the worker was started",
        minutes,
        [
            Panel(
                "Resident size of the worker, MiB",
                [Series("resident", resident), Series("of it anonymous", anonymous)],
            ),
            Panel("Records not yet committed, thousands", [Series("lag", left)]),
        ],
    )


@click.command()
@click.option("--records", default=1_000_000, show_default=True, type=click.IntRange(1_000))
@click.option("--plot", type=click.Path(path_type=Path), help="Write an SVG there.")
def main(records: int, plot: Path | None) -> None:
    samples: list[Sample] = []
    frontier: FrontierWatch | None = None
    with worker(records) as (settings, pid, data):
        for sample, frontier in watch(settings, pid, records):  # noqa: B007  # its last state
            samples.append(sample)
        state = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    assert frontier is not None
    show(samples, frontier, records, state)
    if plot is not None:
        plot.parent.mkdir(parents=True, exist_ok=True)
        plot.write_text(chart(samples))
    flatness = Flatness.of(samples)
    print(
        f"flat            peak {flatness.peak / MIB:.1f} MiB of the last three quarters is "
        f"{flatness.growth:+.1%} of the early {flatness.early / MIB:.1f}; allowed {ALLOWANCE:+.0%}"
    )
    if frontier.lies:
        print(f"the frontier lied: {frontier.lies[0]}")
    if frontier.lies or flatness.growth > ALLOWANCE:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
