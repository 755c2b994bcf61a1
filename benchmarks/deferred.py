"""A million records are put off: what do they cost the rest, and who waits for whom? Apache Kafka.

    python -m benchmarks.deferred [--deferred 1000000] [--records 30000] [--minutes 3]

`retries` holds the deferred records as a worker writes them, due in an hour or more; their sources
are in `events`, committed. Behind those wait the ends of other calls, a GET and a PATCH each, and
one worker decides them as fast as it can; then a thin stream of calls for some minutes. Each round
once with `retries` empty, without the stream, and once full. SOON records lie at its head that are
due meanwhile: they are to be decided in time. Exit 1 unless

* the rate is at least GOAL of that with `retries` empty (medians of the rounds),
* the resident size is at most MEMORY above that with `retries` empty, at its highest,
* the worker never left its group: one assignment,
* SOON_LATE of the soon ones are decided within SOON_SECONDS of their time.

    python -m benchmarks.deferred --behind 40000

What it costs a record to lie behind others that are due later: so many due in two to four minutes
(the upper half of four, as they are drawn), and behind them SOON records due after HEAD_SECONDS.
They are to be decided by when all others are due and worked off; not sooner.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import click
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.budget import truth
from benchmarks.failing import send
from benchmarks.harness import ROOT, Rate, broker, measure, process
from benchmarks.put_off import Batch, Loader
from benchmarks.watch import Memory
from streams.kafka.topics import apply_topics
from streams.local.simulator.api import Simulator
from streams.local.simulator.latency import Latency
from streams.local.simulator.server import serving
from streams.settings import Settings
from streams.timestamps import epoch_ms
from tests.support.journey import UNLIMITED
from tests.support.oracle import outcomes_by_place, read_all
from tests.support.workers import eventually, free_port

GOAL = 0.95

MIB = 1 << 20

# What the deferred may cost: the records that are in memory, and what a fetch of them takes.
MEMORY = 128 * MIB

SOON = 1_000
SOON_LATE = 0.99
SOON_SECONDS = 2.0

# All at once they would wait for one another: few of what comes back are worked on at a time.
SOON_SPREAD_SECONDS = 30.0

# The interactions' ids begin like this.
DEFERRED, SOONER, CALL, THIN = "deferred-", "soon-", "call-", "thin-"

# Of the others' waits, from now on: longer than any run takes.
LATER_SECONDS = (3_600.0, 7_200.0)

BEHIND_SECONDS = (120.0, 240.0)
HEAD_SECONDS = 30.0

# What is due is worked off at some 160, a few at a time; busy machines take longer.
WORKED_OFF_PER_SECOND = 100

# A stream that leaves the worker time for whatever a full waiting room makes it do.
THIN_PER_SECOND = 50.0

LATENCY_MS = 50.0

# What lies behind others is to wait for their time, not for their calls.
QUICK_MS = 5.0

# No faster on a machine with two cores: what is due soon is due once all calls are decided.
LOADED_PER_SECOND = 12_000
DECIDED_PER_SECOND = 300

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the worker. ``at``: epoch seconds. ``waiting``: records in its waiting room."""

    at: float
    memory: Memory
    waiting: float
    rebalances: float


@dataclass(frozen=True, slots=True)
class Measured:
    """``rate``: outcomes a second. ``memory``: the highest resident size, bytes. ``waiting``: the
    most records in the waiting room. ``late``: seconds, in order."""

    rate: float
    memory: int
    waiting: float
    rebalances: float
    late: list[float]


@dataclass
class Running:
    """A worker on loaded topics."""

    settings: Settings
    pid: int
    not_before: dict[str, float]
    """When the soon ones are due, epoch seconds."""
    looks: list[Look] = field(default_factory=list)

    async def watch(self) -> None:
        url = f"http://127.0.0.1:{self.settings.worker_port}"
        async with aiohttp.ClientSession(url) as session:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    async with session.get("/metrics") as answer:
                        page = await answer.text()
                except aiohttp.ClientError:
                    continue
                values = {
                    each.name: each.value
                    for family in text_string_to_metric_families(page)
                    for each in family.samples
                }
                self.looks.append(
                    Look(
                        time.time(),
                        Memory.of(self.pid),
                        values.get("genesys_streams_deferred_waiting", 0.0),
                        values.get("genesys_streams_rebalances_total", 0.0),
                    )
                )

    def measured(self, rate: Rate, late: list[float]) -> Measured:
        return Measured(
            rate.per_second,
            max(each.memory.resident for each in self.looks),
            max(each.waiting for each in self.looks),
            max(each.rebalances for each in self.looks),
            late,
        )

    def late(self, at: Mapping[str, float]) -> list[float]:
        """By how much the soon ones were decided after their time; lowest first."""
        return sorted(when - self.not_before[name] for name, when in at.items())

    async def decided(self, seconds: float) -> dict[str, float]:
        """When each of the soon ones was decided, epoch seconds, once all of them are."""
        at: dict[str, float] = {}

        async def all_of_them() -> bool:
            outcomes = await read_all(self.settings, self.settings.topics.outcomes)
            for published in outcomes_by_place(outcomes).values():
                name, when = published[-1]["interactionId"], epoch_ms(published[-1]["decidedAt"])
                if name in self.not_before and published[-1]["final"] and when is not None:
                    at[name] = when / 1000
            return len(at) == len(self.not_before)

        await eventually(all_of_them, seconds, "the soon ones are decided", every=2.0)
        return at


@asynccontextmanager
async def running(
    servers: str,
    batches: Sequence[Batch],
    calls: Sequence[str],
    asked: Sequence[str],
    latency_ms: float,
) -> AsyncIterator[Running]:
    """A worker that was just started behind these deferrals, and before these calls. ``asked``:
    what the API will be asked for, with the calls."""
    truths = [{**truth(0), "id": each} for each in (*calls, *asked)]
    simulator = Simulator(truths, latency=Latency(latency_ms, 0.2), requests_per_minute=UNLIMITED)
    app_id = f"deferred-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as home:
        async with serving(simulator) as url:
            named = {
                "KAFKA_BOOTSTRAP_SERVERS": servers,
                "GENESYS_CLOUD_BASE_URL": url,
                "GENESYS_CLOUD_CLIENT_ID": "benchmark",
                "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
                "DISPOSITION_CODE_ID": "benchmark",
                "TOPIC_PREFIX": f"{app_id}.",
                "APP_ID": app_id,
                "DATA_DIR": str(Path(home) / "data"),
                "WORKER_PORT": str(free_port()),
                "LOG_LEVEL": "error",
            }
            settings = Settings.load(
                _env_file=None, **{name.lower(): value for name, value in named.items()}
            )
            await asyncio.to_thread(apply_topics, settings.kafka)
            loader = Loader(settings)
            due: dict[str, float] = {}
            for batch in batches:
                written = await asyncio.to_thread(loader.put, batch)
                due |= written if batch.name == SOONER else {}
            if batches:
                await loader.commit()
            await send(settings, calls, None)
            env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
            with process(sys.executable, "-m", "streams", "worker", env=env, cwd=Path(home)) as one:
                worker = Running(settings, one.pid, due)
                watching = asyncio.create_task(worker.watch())
                try:
                    yield worker
                finally:
                    watching.cancel()
                    with suppress(asyncio.CancelledError):
                        await watching


async def one(servers: str, deferred: int, records: int, seconds: float) -> Measured:
    """A run with so many deferred, or none; with them, the soon ones are due in a thin stream."""
    calls = [f"{CALL}{number}" for number in range(records)]
    if not deferred:
        async with running(servers, (), calls, (), LATENCY_MS) as worker:
            rate = await measure(worker.settings, records, of=CALL)
            return worker.measured(rate, [])
    thin = [f"{THIN}{number}" for number in range(int(seconds * THIN_PER_SECOND))]
    now = time.time()
    soon = now + deferred / LOADED_PER_SECOND + records / DECIDED_PER_SECOND + seconds / 3
    batches = [
        Batch(SOONER, SOON, (soon, soon + SOON_SPREAD_SECONDS)),
        Batch(DEFERRED, deferred, (now + LATER_SECONDS[0], now + LATER_SECONDS[1])),
    ]
    asked = [*thin, *batches[0].ids]
    async with running(servers, batches, calls, asked, LATENCY_MS) as worker:
        rate = await measure(worker.settings, records, of=CALL)
        await send(worker.settings, thin, THIN_PER_SECOND)
        await measure(worker.settings, len(thin), of=THIN)
        at = await worker.decided(max(0.0, soon - time.time()) + ANSWER_SECONDS)
        return worker.measured(rate, worker.late(at))


def _of(late: Sequence[float], share: float) -> float:
    """The lateness that this share of them does not exceed."""
    return late[min(len(late) - 1, int(share * len(late)))]


def _spread(late: Sequence[float]) -> str:
    return f"median {_of(late, 0.5):.1f} s, 99 % {_of(late, 0.99):.1f} s, worst {late[-1]:.1f} s"


async def rounds(deferred: int, records: int, minutes: float, number: int) -> bool:
    pairs: list[tuple[Measured, Measured]] = []
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        print("`retries`         outcomes/s   highest resident size   in memory   assignments")
        for _ in range(number):
            both = []
            for many in (0, deferred):
                got = await one(servers, many, records, minutes * 60)
                name = f"{many:,}" if many else "empty"
                print(
                    f"{name:>10}        {got.rate:10.1f}   {got.memory / MIB:17.1f} MiB   "
                    f"{got.waiting:9,.0f}   {got.rebalances:11.0f}",
                    flush=True,
                )
                both.append(got)
            pairs.append((both[0], both[1]))
    empty, full = zip(*pairs, strict=True)
    ratio = statistics.median(x.rate for x in full) / statistics.median(x.rate for x in empty)
    more = max(each.memory for each in full) - max(each.memory for each in empty)
    late = sorted(each for got in full for each in got.late)
    print(f"ratio of the rates {ratio:.2f}  (goal: {GOAL})")
    print(f"resident size      {more / MIB:+.1f} MiB  (allowed: {MEMORY / MIB:+.0f})")
    print(f"{len(late)} due meanwhile were late by: {_spread(late)}")
    return (
        ratio >= GOAL
        and more <= MEMORY
        and all(each.rebalances == 1 for each in full)
        and _of(late, SOON_LATE) <= SOON_SECONDS
    )


async def behind(deferred: int) -> bool:
    """Print how late the soon ones behind the others are."""
    now = time.time() + deferred / 10_000
    batches = [
        Batch(DEFERRED, deferred, (now + BEHIND_SECONDS[0], now + BEHIND_SECONDS[1])),
        Batch(SOONER, SOON, (now + HEAD_SECONDS, now + HEAD_SECONDS + SOON_SPREAD_SECONDS)),
    ]
    asked = [name for batch in batches for name in batch.ids]
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        async with running(servers, batches, (), asked, QUICK_MS) as worker:
            by = batches[0].due[1] + deferred / WORKED_OFF_PER_SECOND
            at = await worker.decided(by - time.time() + ANSWER_SECONDS)
            got = worker.measured(Rate(0, 1.0), worker.late(at))
            print(f"{SOON} due {HEAD_SECONDS:.0f} s after they were put off, behind {deferred:,}")
            print(f"due {BEHIND_SECONDS[0]:.0f} to {BEHIND_SECONDS[1]:.0f} s after it: late by")
            print(f"  {_spread(got.late)}")
            print(f"in memory {got.waiting:,.0f}; highest resident {got.memory / MIB:.1f} MiB")
    return max(at.values()) <= by


@click.command()
@click.option("--deferred", default=1_000_000, show_default=True, type=click.IntRange(1_000))
@click.option("--records", default=30_000, show_default=True, type=click.IntRange(100))
@click.option("--minutes", default=3.0, show_default=True, type=click.FloatRange(0.1))
@click.option("--rounds", "number", default=2, show_default=True, type=click.IntRange(1))
@click.option("--behind", "others", type=click.IntRange(1), help="Only this: see above.")
def main(deferred: int, records: int, minutes: float, number: int, others: int | None) -> None:
    if others is not None:
        held = asyncio.run(behind(others))
    else:
        held = asyncio.run(rounds(deferred, records, minutes, number))
    if not held:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
