"""A console on a real socket over an index that a test has filled."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import TopicPartition

from streams.addresses import http_url
from streams.clock import SystemClock
from streams.console.access import Access
from streams.console.desk import Desk
from streams.console.follower import Progress
from streams.console.index.store import Index, Origin
from streams.console.offsets import Offsets
from streams.console.server import Console
from streams.console.stuck import Stuck
from streams.console.workers.seen import Called, Seen
from streams.console.workers.watch import Watch
from streams.errors import PublishError
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.listening import Runner, listen
from streams.operator.stuck.account import Account
from streams.settings import Settings
from streams.wire.dead_letters import Letter
from streams.wire.retries import Signed
from tests.support.planted import Field
from tests.support.stuck_account import an_account

KEY = "a key of the console"


@dataclass
class Sent:
    """A redriving that remembers. ``refuses``: as a Kafka that is away."""

    letters: list[tuple[Letter, Signed]] = field(default_factory=list)
    refuses: bool = False

    async def send(self, letter: Letter, signed: Signed) -> None:
        if self.refuses:
            raise PublishError("no broker answers")
        self.letters.append((letter, signed))


async def nobody_looks() -> Account:
    raise AssertionError("a test tells what is stuck")


def kafka_settings() -> KafkaSettings:
    """Of a Kafka that nobody asks."""
    return Settings.load(_env_file=None).kafka


def opened(path: Path, names: TopicNames | None = None) -> Index:
    return Index(path, names or TopicNames("genesys.interaction."), Origin("a cluster", {}))


def desk_over(index: Index, land: Field, clock: SystemClock | None = None) -> Desk:
    """All of it is read; two workers, one of which is short of answers."""
    progress = Progress(failure=None, caught_up=True)
    for topic, record in land.records:
        at = TopicPartition(record.topic, record.partition)
        progress.ends[at] = progress.positions[at] = record.offset + 1
        assert index.name_of(topic) == record.topic
    urls = ["http://worker-1:6066", "http://worker-2:6066"]
    watch = Watch(urls, clock or SystemClock(), ssl.create_default_context())
    for number, worker in enumerate(watch.workers):
        for at, done in ((0.0, 0.0), (60.0, 1_840.0 + 37 * number)):
            statuses = {"200": done / 20, "404": done / 300}
            worker.answered(
                Seen(
                    at,
                    breaker="closed",
                    in_flight=11 + 4 * number,
                    records=done,
                    lag=18 + number,
                    api=Called(statuses),
                    token=Called({"200": 1}),
                )
            )
    offsets = Offsets(kafka_settings(), {}, clock or SystemClock())
    offsets.failure = None
    offsets.committed = {at: max(0, end - 3) for at, end in progress.ends.items()}
    stuck = Stuck(nobody_looks, clock or SystemClock())
    stuck.told(an_account(land.now_ms))
    return Desk(
        index,
        progress,
        watch,
        offsets,
        stuck,
        land.names,
        partitions=land.partitions,
        threshold_ms=30_000,
        budget=300,
        clock=clock or SystemClock(),
    )


@asynccontextmanager
async def serving(
    desk: Desk,
    *,
    keys: Sequence[str] = (),
    local: bool = True,
    sent: Sent | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Its URL."""
    access = Access(keys, local=local, over_tls=tls is not None, clock=SystemClock())
    console = Console(desk, access, sent or Sent(), SystemClock())
    runner = Runner(console.application(), on_not_http=lambda: None, shutdown_timeout=1.0)
    try:
        at = await listen(runner, "127.0.0.1", 0, variables="CONSOLE_PORT", tls=tls)
        yield http_url(*at, tls=tls is not None)
    finally:
        console.stop()
        await runner.cleanup()


@contextmanager
def serving_beside(
    desk: Desk, *, keys: Sequence[str] = (), sent: Sent | None = None
) -> Iterator[str]:
    """The same, in a thread of its own: for a browser that is asked without a loop."""
    urls: list[str] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving(desk, keys=keys, sent=sent) as url:
            urls.append(url)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="console")
    thread.start()
    try:
        assert ready.wait(30), "the console does not come up"
        yield urls[0]
    finally:
        done.set()
        thread.join(30)
