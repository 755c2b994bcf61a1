"""200,000 conversations wait for their agents: what do they cost the rest? Needs Apache Kafka.

    python -m benchmarks.looks [--planned 200000] [--records 10000] [--rounds 1]

Each of those that wait has been looked at once: the call is over, its agent is at work for an hour
more, and the next look is planned for then. They are in Kafka as a worker leaves them, made by the
core itself: the event, committed; the record in the table's changelog; its copy in `retries`. A
worker that has none of it on its disk takes it over. Once it has, the ends of other calls come,
whose agents have let their time run out: a GET, a PATCH, and a GET that sees the code. Once without
looks, the same conversations known, and once with them. Exit 1 unless

* the rate is at least GOAL of that without them (medians of the rounds),
* the resident size is at most MEMORY above that without them, at its highest,
* the worker never left its group: one assignment,
* no conversation that waits was asked for, or written to,
* each of the other calls was written to once.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiokafka
import click
import msgspec

from benchmarks.deferred import MIB, Running
from benchmarks.harness import ROOT, Rate, broker, process
from benchmarks.put_off import Batch, Loader
from streams.core.conversations.arrival import arrive
from streams.core.conversations.events import parse_conversation_event
from streams.core.conversations.inquiry import Inquiry
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.record import ConversationRecord, Delivery, encode_record
from streams.core.records import Decision, PutOff, Reason, Source
from streams.genesys.answers import Answer
from streams.genesys.conversation_reading import read_conversation
from streams.kafka.admin import TopicsAdmin
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.local.simulator.api import Simulator
from streams.local.simulator.latency import Latency
from streams.local.simulator.server import serving
from streams.settings import Settings
from streams.worker.state.table import changelog
from tests.support.ended_call import ended, told
from tests.support.journey import UNLIMITED
from tests.support.workers import eventually, free_port

GOAL = 0.95

# What those that wait may cost: the looks that are in memory, the store's own caches, and what a
# fetch of `retries` takes.
MEMORY = 192 * MIB

# The conversations' ids begin like this.
WAITING, CALL = "waiting-", "call-"

# Of an agent at work: longer than any run takes.
AN_HOUR = 3_600.0

# An agent whose time has run out, long before the run begins.
RUN_OUT_MS = 30_000
LONG_AGO_MS = 600_000

# As an API nearby.
LATENCY_MS = 20.0

# No slower on a slow machine, once the table is restored.
CODED_PER_SECOND = 20
TAKEN_OVER_PER_SECOND = 500
START_SECONDS = 120.0

# Not the secret of the client: whatever an answer repeats of that is made unreadable.
CODE = "code"


@dataclass(frozen=True, slots=True)
class Measured:
    """``rate``: legs coded a second. ``memory``: the highest resident size, bytes.
    ``waiting``: the most looks in the waiting room. ``taken_over``: seconds from the start until it
    had them. ``gets``: requests for each that waits. ``writes``: to each conversation."""

    rate: float
    memory: int
    waiting: float
    taken_over: float
    rebalances: float
    gets: Counter[str]
    writes: Counter[str]

    @property
    def right(self) -> bool:
        """Whether each call got its code once, and nothing else was done."""
        once = all(each.startswith(CALL) and many == 1 for each, many in self.writes.items())
        return once and not self.gets and self.rebalances == 1


class _Outcome(msgspec.Struct):
    """What is read of an outcome here."""

    decision: str


class Planner(Loader):
    """Writes what a worker has left of conversations whose next look is ``planned``, or that wait
    for none."""

    def __init__(self, settings: Settings, life: str, *, planned: bool) -> None:
        super().__init__(settings)
        self._planned = planned
        self._changelog = changelog(settings.app_id)
        self._life = life
        self._now_ms = round(time.time() * 1000)
        self._policy = WrapUpPolicy(CODE)

    def event(self, name: str) -> bytes:
        return told(name, self._now_ms)

    def put_off(self, name: str, source: Source, due: float) -> None:
        record = self._looked_at(name, source.offset, round(due * 1000))
        assert record.look is not None
        assert record.open
        if self._planned:
            self.copy(name, source, PutOff(2, record.look.at), Reason.LOOK_PLANNED)
        else:
            record = msgspec.structs.replace(record, look=None, waiting=())
        self.write(self._changelog, name, encode_record(record), source)

    def _looked_at(self, name: str, offset: int, due_ms: int) -> ConversationRecord:
        """The record once the event has planned a look, and that one has planned the next."""
        event = parse_conversation_event(self.event(name))
        assert event is not None
        taken = Delivery(offset, life=self._life, time_ms=self._now_ms)
        empty = ConversationRecord(name, life=self._life)
        arrived, _ = arrive(empty, event, taken, self._now_ms, policy=self._policy)
        assert arrived.look is not None
        looked_at = arrived.look.at
        inquiry = Inquiry(arrived, replace(taken, returned_at=0), looked_at, self._policy)
        scenario = ended(name, looked_at, due_ms - self._policy.margin_ms - looked_at, 0)
        answer = Answer(200, msgspec.json.encode(scenario.get.states[0].conversation))
        inquiry.fetched(read_conversation(answer, name), looked_at)
        record, _ = inquiry.conclude(looked_at)
        assert record is not None
        return record


def life_of(settings: Settings) -> str:
    """Which log the offsets of `events` are of."""
    events = settings.topics.events
    return TopicsAdmin(settings.kafka).identity([events]).topics[events]


async def send(settings: Settings, names: Iterator[str]) -> None:
    """The end of each call, one behind the other."""
    publisher = KafkaPublisher(settings.kafka, client_id="benchmark")
    await publisher.start()
    now_ms = round(time.time() * 1000)
    try:
        waits = [
            await publisher.enqueue(
                Message(settings.topics.events, key=each.encode(), value=told(each, now_ms))
            )
            for each in names
        ]
        await asyncio.gather(*waits)
    finally:
        await publisher.stop()


async def coded(settings: Settings, records: int) -> Rate:
    """Wait until so many legs have their code."""
    consumer = aiokafka.AIOKafkaConsumer(
        settings.topics.outcomes,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    decode = msgspec.json.Decoder(_Outcome).decode
    stamps: dict[bytes, int] = {}
    try:
        async with asyncio.timeout(START_SECONDS + records / CODED_PER_SECOND):
            while len(stamps) < records:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    for each in batch:
                        if decode(each.value).decision == Decision.PATCHED:
                            stamps[each.key] = each.timestamp
    except TimeoutError:
        raise click.ClickException(f"only {len(stamps)} of {records} legs were coded") from None
    finally:
        await consumer.stop()
    return Rate(records, (max(stamps.values()) - min(stamps.values())) / 1000)


async def one(servers: str, known: int, records: int, *, planned: bool) -> Measured:
    """A run with so many conversations in the table, which wait for a look or do not."""
    simulator = Simulator((), latency=Latency(LATENCY_MS, 0.2), requests_per_minute=UNLIMITED)
    store = simulator.conversations.store
    now_ms = round(time.time() * 1000)
    store.load(ended(f"{CALL}{n}", now_ms, RUN_OUT_MS, LONG_AGO_MS) for n in range(records))
    app_id = f"looks-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as home:
        async with serving(simulator) as url:
            named = {
                "KAFKA_BOOTSTRAP_SERVERS": servers,
                "GENESYS_API": "conversations",
                "GENESYS_CLOUD_BASE_URL": url,
                "GENESYS_CLOUD_CLIENT_ID": "benchmark",
                "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
                "DISPOSITION_CODE_ID": CODE,
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
            due = time.time() + AN_HOUR
            batch = Batch(WAITING, known, (due, due + AN_HOUR))
            planner = Planner(settings, life_of(settings), planned=planned)
            await asyncio.to_thread(planner.put, batch)
            await planner.commit()
            env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
            with process(sys.executable, "-m", "streams", "worker", env=env, cwd=Path(home)) as it:
                worker = Running(settings, it.pid, {})
                began, waiting = time.monotonic(), known if planned else 0
                watching = asyncio.create_task(worker.watch())
                await eventually(
                    lambda: bool(worker.looks) and worker.looks[-1].waiting >= waiting,
                    START_SECONDS + known / TAKEN_OVER_PER_SECOND,
                    "the worker has those that wait",
                )
                taken_over = time.monotonic() - began
                await send(settings, (f"{CALL}{n}" for n in range(records)))
                rate = await coded(settings, records)
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
            seen = worker.measured(rate, [])
    counted = simulator.store.counted().items()
    return Measured(
        seen.rate,
        seen.memory,
        seen.waiting,
        taken_over,
        seen.rebalances,
        Counter({name: each["gets"] for name, each in counted if name.startswith(WAITING)}),
        Counter(each.conversation_id for each in store.writes),
    )


async def rounds(planned: int, records: int, number: int) -> bool:
    pairs: list[tuple[Measured, Measured]] = []
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        print("planned looks   taken over in   legs coded/s   highest resident size   assignments")
        for _ in range(number):
            both = []
            for many in (0, planned):
                got = await one(servers, planned, records, planned=many > 0)
                print(
                    f"{many:>13,}   {got.taken_over:11.1f} s   {got.rate:12.1f}   "
                    f"{got.memory / MIB:17.1f} MiB   {got.rebalances:11.0f}",
                    flush=True,
                )
                both.append(got)
            pairs.append((both[0], both[1]))
    without, beside = zip(*pairs, strict=True)
    ratio = statistics.median(x.rate for x in beside) / statistics.median(x.rate for x in without)
    more = max(each.memory for each in beside) - max(each.memory for each in without)
    right = all(each.right and len(each.writes) == records for pair in pairs for each in pair)
    print(f"ratio of the rates {ratio:.2f}  (goal: {GOAL})")
    print(f"resident size      {more / MIB:+.1f} MiB  (allowed: {MEMORY / MIB:+.0f})")
    print(f"each call coded once, none that waits touched: {'yes' if right else 'NO'}")
    return ratio >= GOAL and more <= MEMORY and right


@click.command()
@click.option("--planned", default=200_000, show_default=True, type=click.IntRange(1))
@click.option("--records", default=10_000, show_default=True, type=click.IntRange(10))
@click.option("--rounds", "number", default=1, show_default=True, type=click.IntRange(1))
def main(planned: int, records: int, number: int) -> None:
    if not asyncio.run(rounds(planned, records, number)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
