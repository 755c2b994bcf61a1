"""The console, from its settings to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from streams.addresses import http_url, is_loopback
from streams.clock import Clock, SystemClock
from streams.console.access import Access
from streams.console.desk import Desk
from streams.console.follower import TRY_AGAIN_SECONDS, Follower, Layout, Progress, layout
from streams.console.index.keys import Topic
from streams.console.index.store import Index
from streams.console.offsets import Offsets
from streams.console.redriving import Redriving
from streams.console.server import Console
from streams.console.stuck import Stuck
from streams.console.workers.watch import Watch
from streams.errors import KafkaError
from streams.listening import Runner, check_address, listen
from streams.operator.stuck.asking import look
from streams.settings import Settings
from streams.stopping import unless_stopped

log = logging.getLogger(__name__)

VARIABLES = "CONSOLE_HOST, CONSOLE_PORT"

# The index's directory below DATA_DIR.
DIRECTORY = "console"

# Pages that are being made are answered; the drain of a command has 9.5 s.
DRAIN_SECONDS = 4.0


async def run_console(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set.

    Kafka may come later, or go away: pages then show what the index has, and say so. Raises
    SettingsError when a key is needed, the files of TLS can't be used or the address can't be
    listened on, ConsoleError when the
    disk fails.
    """
    await check_address(settings.console_host, settings.console_port, variables=VARIABLES)
    clock = SystemClock()
    found = await unless_stopped(stop, _layout(settings, clock))
    if found is None:
        return
    with _index(settings, found) as index:
        await _serve(settings, stop, index, found, clock)


async def _layout(settings: Settings, clock: Clock) -> Layout:
    """What there is in Kafka, once it answers: without it there is nothing to show."""
    told: str | None = None
    while True:
        try:
            return await layout(settings.kafka)
        except KafkaError as failure:
            if str(failure) != told:
                told = str(failure)
                log.warning("the console waits for Kafka: %s", failure)
            await clock.sleep(TRY_AGAIN_SECONDS)


@contextmanager
def _index(settings: Settings, found: Layout) -> Iterator[Index]:
    index = Index(settings.data_dir.absolute() / DIRECTORY, settings.topics, found.origin)
    try:
        yield index
    finally:
        index.close()


async def _serve(
    settings: Settings, stop: asyncio.Event, index: Index, found: Layout, clock: Clock
) -> None:
    progress = Progress()
    follower = Follower(settings.kafka, index, found.partitions, progress, clock)
    watch = Watch(settings.console_worker_urls(), clock, settings.peers_tls())
    topics = settings.topics
    taken = {
        topics.events: found.partitions[Topic.EVENTS],
        topics.retries: found.partitions[Topic.RETRIES],
    }
    offsets = Offsets(settings.kafka, taken, clock)
    stuck = Stuck(partial(look, settings), clock)
    desk = Desk(
        index,
        progress,
        watch,
        offsets,
        stuck,
        settings.topics,
        partitions=found.events,
        threshold_ms=settings.duration_threshold_ms,
        budget=settings.genesys_requests_per_minute,
        clock=clock,
    )
    local = is_loopback(settings.console_host)
    tls = settings.console_tls()
    keys = settings.console_api_keys()
    access = Access(keys, local=local, over_tls=tls is not None, clock=clock)
    console = Console(desk, access, Redriving(settings.kafka, clock), clock)
    runner = Runner(console.application(), on_not_http=_not_http, shutdown_timeout=DRAIN_SECONDS)
    address = await listen(
        runner, settings.console_host, settings.console_port, variables=VARIABLES, tls=tls
    )
    log.info("console listening on %s", http_url(*address, tls=tls is not None))
    work = [follower.run(), watch.run(), offsets.run(), stuck.run(), stop.wait()]
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        console.stop()
        await runner.cleanup()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _not_http() -> None:
    # Nothing is lost by such a request, so DEBUG is enough.
    log.debug("a request was no valid HTTP")
