"""The demo from its first process to its verdict."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from streams.clock import SystemClock
from streams.errors import DemoError
from streams.local.demo import pipeline
from streams.local.demo.account import Account, account_for
from streams.local.demo.ledger import Ledger
from streams.local.demo.observer import Observer
from streams.local.demo.pipeline import Org, Pipeline
from streams.local.demo.processes import POLL_SECONDS, Parts
from streams.local.demo.screen import Screen
from streams.local.generator.delivery import Delivery
from streams.local.generator.population import population
from streams.local.generator.stream import stream

# The events are spread over this time: long enough to watch, short enough to wait for.
STREAM_SECONDS = 12.0

# The fewest and the most events a second. The fewest, because a handful of interactions need not
# take the whole time. The most, because on two cores the four parts and the demo decide some 700 a
# second, and more would only queue up.
LEAST_RATE = 100.0
MOST_RATE = 600.0

# After this time without an outcome the missing ones will not come: a record that is held because
# of a fault is tried again within a few seconds.
PATIENCE_SECONDS = 60.0

# The wait for what must not come any more: a second outcome of some record.
AFTERMATH_SECONDS = 1.0

# SIGHUP: the terminal was closed, and nobody else would end the parts.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_demo(org: Org, *, keep_running: bool, console: Console, errors: Console) -> int:
    """Returns the exit code: 0 only if every event and every interaction is as the model says.

    Raises DemoError when a part does not come up, or ends. However the demo ends, no process and no
    file is left, except the logs of a demo that failed; ``errors`` says where they are.
    """
    directory = Path(tempfile.mkdtemp(prefix="genesys-streams-demo-"))
    demo = Demo(org, directory, keep_running=keep_running, console=console)
    failed = True
    try:
        async with Parts(directory) as parts:
            await _play(demo, parts, errors)
        failed = demo.account is not None and not demo.account.passed
    finally:
        if failed:
            shutil.rmtree(demo.data, ignore_errors=True)
            _say(errors, f"the logs of its parts are in {directory / 'logs'}")
        else:
            shutil.rmtree(directory)
    if demo.account is None:
        _say(errors, "stopped before the end, so nothing was checked")
    return 0 if demo.account is not None and demo.account.passed else 1


async def _play(demo: Demo, parts: Parts, errors: Console) -> None:
    """Play the demo until it is over or stopped. Raises what the demo raises, and DemoError when a
    part ends."""
    stop = _stop_on_signals(parts)
    playing = asyncio.create_task(demo.play(parts))
    dying = asyncio.create_task(parts.first_death())
    stopping = asyncio.create_task(stop.wait())
    tasks = (playing, dying, stopping)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if dying.done():
            part = dying.result()
            _say(errors, part.last_words())
            raise DemoError(f"the {part.name} ended in the middle of the demo ({part.end()})")
        if playing.done():
            playing.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _stop_on_signals(parts: Parts) -> asyncio.Event:
    """An event that the first signal sets. One more signal kills the parts."""
    stop = asyncio.Event()

    def signalled() -> None:
        if stop.is_set():
            parts.kill()
        stop.set()

    for number in _STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, signalled)
    return stop


class Demo:
    """One run of the pipeline. ``account`` is there once it is over."""

    def __init__(self, org: Org, directory: Path, *, keep_running: bool, console: Console) -> None:
        self.account: Account | None = None
        self.data = directory / "data"
        self._org = org
        self._interactions = population(org.seed, org.interactions)
        self._keep_running = keep_running
        self._clock = SystemClock()
        chaos = ", API faults" if org.chaos else ""
        title = f"genesys-streams demo: {org.interactions:,} interactions, seed {org.seed}{chaos}"
        self._screen = Screen(console, title, self._clock)

    async def play(self, parts: Parts) -> None:
        """Start, send, wait, account; then go on for ever if the demo is to keep running."""
        async with aiohttp.ClientSession() as session:
            with self._screen.doing("starting broker, simulator, bridge and worker"):
                running = await pipeline.start(parts, session, self._org, self.data)
            async with Observer(running, session) as observer:
                self.account = await self._stream(running, session, observer)
                self._screen.conclude(self.account, observer.readings)
        if self._keep_running:
            self._screen.say(self._how_to_look(running, parts.logs, self.account.example))
            await asyncio.Event().wait()

    async def _stream(
        self, running: Pipeline, session: aiohttp.ClientSession, observer: Observer
    ) -> Account:
        planned = sum(1 for _ in stream(self._interactions, self._org.seed))
        events = stream(self._interactions, self._org.seed, now=self._clock.time)
        rate = min(MOST_RATE, max(LEAST_RATE, planned / STREAM_SECONDS))
        delivery = Delivery(session, running.bridge, self._clock, rate=rate)
        showing = asyncio.create_task(
            self._screen.follow(observer.ledger, observer.readings, planned)
        )
        try:
            began = self._clock.monotonic()
            report = await delivery.deliver(_noted(events, observer.ledger), asyncio.Event())
            ended = await self._last_outcome(observer, report.accepted)
            await self._clock.sleep(AFTERMATH_SECONDS)
            observer.check()
        finally:
            showing.cancel()
            await asyncio.wait({showing})
        return account_for(
            observer.ledger,
            delivery=report,
            truths={each.id: each.truth for each in self._interactions},
            api=await observer.api_counts(),
            seconds=ended - began,
        )

    async def _last_outcome(self, observer: Observer, accepted: int) -> float:
        """Wait until every event has its outcome, or until there is no hope. Returns the time of
        the last outcome."""
        ledger, clock = observer.ledger, self._clock
        decided, at = len(ledger.final), clock.monotonic()
        while clock.monotonic() - at < PATIENCE_SECONDS:
            observer.check()
            if len(ledger.final) > decided:
                decided, at = len(ledger.final), clock.monotonic()
            if len(ledger.records) >= accepted and ledger.complete:
                break
            await clock.sleep(POLL_SECONDS)
        return at

    def _how_to_look(self, running: Pipeline, logs: Path, example: str) -> str:
        kafka = f"KAFKA_BOOTSTRAP_SERVERS={running.kafka} genesys-streams"
        generate = f"--interactions {self._org.interactions} --seed {self._org.seed}"
        return f"""
Still running, until Ctrl-C. Have a look:

  what was decided about one interaction, and about all that come from now on
    {kafka} outcomes --interaction {example}
    {kafka} outcomes --follow
  what the worker remembers of it, and what Genesys Cloud has of it
    curl {running.worker}/interactions/{example}
    curl {running.simulator}/_simulator/interactions/{example}
  all events once more, duplicates now
    genesys-streams generate {generate} --to {running.bridge}
  metrics and logs
    curl {running.bridge}/metrics
    curl {running.worker}/metrics
    {logs}"""


def _noted(events: Iterable[dict[str, Any]], ledger: Ledger) -> Iterator[dict[str, Any]]:
    for event in events:
        ledger.sent.append(event["id"])
        yield event


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
