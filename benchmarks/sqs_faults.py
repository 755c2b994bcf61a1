"""From a partner's bus of EventBridge over rule, queue, bridge, Apache Kafka and worker to the
outcome: once while the bridge is killed, once while Kafka is stopped.

    python -m benchmarks.sqs_faults [--fault killed|stopped] [--events 10000] [--seconds 120]

AWS is moto's server, unchanged, with what ``deploy/aws`` makes in it. The API is simulated, and
every outcome is held against the reference model. First, as many events go to the bridge over HTTP,
so that the rates are of one run; over the queue it is moto's and not the bridge's (see
``benchmarks.sqs``). While Kafka is stopped a fifth of the events is enough. Exit 1 unless, each
time,

* every event is in Kafka and has the outcome of the model, and every eligible call one PATCH,
* the bytes that are no event are in ``dead-letters``,
* the queue and both dead-letter queues are empty,
* and, with Kafka stopped, no message was received more than three times and the bridge's memory
  did not grow.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import click
import msgspec

from benchmarks.bridge import until_ready
from benchmarks.failing import event
from benchmarks.sqs import PATIENCE_SECONDS, over_http
from streams.bridge.sqs.batches import batches
from streams.bridge.sqs.message import RECEIVE_COUNT
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.settings import Settings
from tests.support.aws import Aws, Deployed, moto
from tests.support.bridges import ROOT, Program
from tests.support.clusters import KafkaCluster, kafka_cluster
from tests.support.journey import Journey, journey
from tests.support.oracle import read_all
from tests.support.workers import WorkerProcess, environment, eventually, free_port

# An interaction has some nine events, so this many have more than are sent.
EVENTS_OF_ONE = 6

# One in so many is no event.
POISON_EVERY = 100

# Seconds between two kills: some strike a bridge that has just begun, some one that is at work.
BETWEEN_KILLS = (1.0, 90.0)

# A bridge that starts while two cores are busy with all the rest.
READY_SECONDS = 120.0

# Messages that wait or are in hand at most: moto looks through all of them at each request.
QUEUED = 100

MOST_RECEIVES = 3
MOST_GROWTH_MIB = 16.0

# Settings of a queue that a message comes back to after a kill before the next one, and of one that
# Kafka is away from for several of its visibility timeouts.
VISIBILITY_KILLED = 5
VISIBILITY_STOPPED = 30


class Bridge:
    """The bridge from SQS as a process, and its restarts."""

    def __init__(self, settings: Settings, variables: Mapping[str, str]) -> None:
        self._url = f"http://127.0.0.1:{settings.bridge_port}"
        self._env = {**environment(settings), **variables}
        self._program: Program | None = None
        self.kills = 0

    async def start(self) -> None:
        self._program = Program("-m", "streams", "bridge", "sqs", env=self._env, cwd=ROOT)
        await until_ready(self._url, READY_SECONDS)

    async def kill(self) -> None:
        """kill -9, and start it again."""
        self._running.send(signal.SIGKILL)
        await asyncio.to_thread(self._running.wait, 10)
        self._running.end()
        self.kills += 1
        await self.start()

    @property
    def resident_mib(self) -> float:
        return self._running.resident_mib

    def close(self) -> None:
        if self._program is not None:
            self._program.end()

    @property
    def _running(self) -> Program:
        assert self._program is not None, "not started"
        return self._program


@dataclass
class Passage:
    """One contact centre's events on their way, and what was seen of it."""

    going: Journey
    details: Sequence[Mapping[str, Any]]
    deployed: Deployed
    bridge: Bridge
    poison: list[bytes] = field(default_factory=list)
    sent: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def send(self) -> None:
        """All events onto the bus, never more at once than moto can bear."""
        free = 0
        for batch in batches(self.details):
            while free < len(batch):
                time.sleep(0.2)
                free = QUEUED - sum(self.deployed.queue.counts())
            self.deployed.put(UPDATE_DETAIL_TYPE, *batch)
            free -= len(batch)
            self.sent += len(batch)
            if self.sent % POISON_EVERY == 0:
                self._send_poison()

    def _send_poison(self) -> None:
        """In turn an event of ours that is none, and bytes that did not come over the rule."""
        name = f"poison-{self.sent}"
        self.poison.append(name.encode())
        if len(self.poison) % 2:
            self.deployed.put(UPDATE_DETAIL_TYPE, {"interactionId": f"../{name}", "sequenceId": 1})
        else:
            self.deployed.queue.send(f"<event>{name}</event>")


Strike = Callable[[Passage, "asyncio.Task[None]"], Awaitable[None]]


def killing(seed: int) -> Strike:
    """Kills the bridge at random for as long as events are sent."""

    async def strike(passage: Passage, sending: asyncio.Task[None]) -> None:
        chance = Random(f"kills {seed}")
        while not sending.done():
            await asyncio.wait({sending}, timeout=chance.uniform(*BETWEEN_KILLS))
            await passage.bridge.kill()
        passage.notes.append(f"{passage.bridge.kills} times kill -9")

    return strike


def stopping(cluster: KafkaCluster, seconds: float) -> Strike:
    """Stops Kafka for so long when half the events are sent, and looks at the bridge's memory."""

    async def strike(passage: Passage, sending: asyncio.Task[None]) -> None:
        half = len(passage.details) // 2
        await eventually(lambda: passage.sent >= half, PATIENCE_SECONDS, "half is sent")
        before = passage.bridge.resident_mib
        await asyncio.to_thread(cluster.stop)
        until, seen, held = time.monotonic() + seconds, [before], 0
        while time.monotonic() < until:
            seen.append(passage.bridge.resident_mib)
            held = max(held, passage.deployed.queue.counts()[1])
            await asyncio.sleep(1)
        assert not sending.done(), "Kafka was stopped when all was sent: send more events"
        await asyncio.to_thread(cluster.heal)
        assert max(seen) - before < MOST_GROWTH_MIB, f"memory grew: {seen}"
        passage.notes.append(
            f"Kafka stopped for {seconds:.0f} s, {held} messages in hand meanwhile; resident "
            f"{before:.0f} MiB before, {max(seen):.0f} at most"
        )

    return strike


async def keep(worker: WorkerProcess) -> None:
    """Start the worker again whenever it has ended, as it does when Kafka is away."""
    while True:
        if worker.exit_code is not None:
            worker.start()
        await asyncio.sleep(1)


@asynccontextmanager
async def passage(
    servers: str, aws: Aws, home: Path, events: int, *, visibility: int
) -> AsyncIterator[Passage]:
    unique = uuid.uuid4().hex[:8]
    settings = Settings.load(
        _env_file=None,
        kafka_bootstrap_servers=servers,
        topic_prefix=f"{unique}.",
        app_id=unique,
        data_dir=home / unique,
        bridge_port=free_port(),
        worker_port=free_port(),
        genesys_requests_per_minute=10_000_000,
        # The first look decides, as the model's does.
        lag_window_seconds=0.0,
        log_level="warning",
    )
    deployed = await asyncio.to_thread(Deployed, aws, visibility=visibility)
    interactions = events // EVENTS_OF_ONE + 1
    async with journey(settings, interactions=interactions, seed=7) as (going, stream):
        details = [each["detail"] for each in stream[:events]]
        assert len(details) == events, f"{interactions} interactions have too few events"
        variables = {**aws.environment, "BRIDGE_QUEUE_URL": deployed.queue.url}
        worker = WorkerProcess(going.settings, home / f"{unique}.log")
        with closing(worker), closing(Bridge(going.settings, variables)) as bridge:
            worker.start()
            await worker.ready()
            await bridge.start()
            keeping = asyncio.create_task(keep(worker))
            try:
                yield Passage(going, details, deployed, bridge)
            finally:
                keeping.cancel()


async def struck(title: str, one: Passage, strike: Strike) -> int:
    """Sends all events while it is struck, and prints what was seen; returns how often a message
    was received at most. Raises AssertionError when anything is not as it should be."""
    going, topics = one.going, one.going.settings.topics
    began = time.monotonic()
    sending = asyncio.create_task(asyncio.to_thread(one.send))
    await strike(one, sending)
    await sending
    await eventually(one.deployed.queue.is_empty, PATIENCE_SECONDS, "the queue is empty", every=0.5)
    one.seconds = time.monotonic() - began

    records = await read_all(going.settings, topics.events)
    going.sent = {
        (each.partition, each.offset): msgspec.json.decode(each.value or b"") for each in records
    }
    await going.all_published(PATIENCE_SECONDS)
    decided = await going.judge()
    wanted = Counter(_name(detail) for detail in one.details)
    found = Counter(_name(each["detail"]) for each in going.sent.values())
    assert not wanted - found, f"lost: {wanted - found}"
    assert found.keys() == wanted.keys()
    letters = [each.value or b"" for each in await read_all(going.settings, topics.dead_letters)]
    assert all(any(name in letter for letter in letters) for name in one.poison)
    assert one.deployed.queue_dead_letters.is_empty()
    assert one.deployed.rule_dead_letters.is_empty()
    receives = Counter(int(dict(each.headers)[RECEIVE_COUNT]) for each in records)
    patched = sum(count for key, count in decided.items() if key[0] == "patched")
    for line in (
        f"{title}: {len(one.details)} events, {len(one.details) / one.seconds:.0f} events/s",
        *one.notes,
        f"{len(records)} records, none lost, each decided as by the model; {patched} calls patched",
        f"all {len(one.poison)} poison among {len(letters)} dead letters; all queues empty",
        f"records by how often their message was received: {dict(sorted(receives.items()))}",
    ):
        print(line, flush=True)
    return max(receives)


def _name(detail: Mapping[str, Any]) -> tuple[str, str]:
    return detail["interactionId"], str(detail["sequenceId"])


async def run(faults: Sequence[str], events: int, stopped: float, seed: int, home: Path) -> None:
    with kafka_cluster(home / "kafka", nodes=1) as cluster, moto(home / "moto.log") as aws:
        servers = cluster.bootstrap_servers
        bodies = [event(f"call-{number}").decode() for number in range(events)]
        way = await over_http({"KAFKA_BOOTSTRAP_SERVERS": servers}, bodies)
        print(f"over HTTP: {events} events, {events / way.seconds:.0f} events/s", flush=True)
        if "killed" in faults:
            async with passage(servers, aws, home, events, visibility=VISIBILITY_KILLED) as one:
                await struck("over SQS, bridge killed", one, killing(seed))
        if "stopped" in faults:
            fewer = events // 5
            async with passage(servers, aws, home, fewer, visibility=VISIBILITY_STOPPED) as one:
                most = await struck("over SQS, Kafka stopped", one, stopping(cluster, stopped))
            assert most <= MOST_RECEIVES, f"a message was received {most} times"


FAULTS = ("killed", "stopped")


@click.command()
@click.option("--fault", type=click.Choice(FAULTS), help="One of the two alone.")
@click.option("--events", default=10_000, show_default=True, type=click.IntRange(100))
@click.option("--seconds", default=120.0, show_default=True, help="Without Kafka.")
@click.option("--seed", default=7, show_default=True, help="Of the kills.")
def main(fault: str | None, events: int, seconds: float, seed: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        try:
            faults = FAULTS if fault is None else (fault,)
            asyncio.run(run(faults, events, seconds, seed, Path(home)))
        except AssertionError as wrong:
            sys.exit(f"not as it should be: {wrong}")


if __name__ == "__main__":
    main()
