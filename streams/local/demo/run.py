"""The demo from its first process to its verdict."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from pathlib import Path

import aiohttp
from rich.console import Console

from streams.clock import SystemClock
from streams.errors import DemoError
from streams.local.demo import pipeline
from streams.local.demo.account import Account
from streams.local.demo.conversations import PlayedConversations
from streams.local.demo.interactions import PlayedInteractions
from streams.local.demo.leg_account import LegAccount
from streams.local.demo.observer import Observer
from streams.local.demo.pipeline import Org
from streams.local.demo.processes import Parts
from streams.local.demo.screen import Screen

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
        self.account: Account | LegAccount | None = None
        self.data = directory / "data"
        self._org = org
        self._keep_running = keep_running
        chaos = ", API faults" if org.chaos else ""
        title = f"genesys-streams demo: {org.interactions:,} {org.api}, seed {org.seed}{chaos}"
        clock = SystemClock()
        self._screen = Screen(console, title, clock)
        self._played: PlayedInteractions | PlayedConversations = (
            PlayedConversations(org, clock)
            if org.api == "conversations"
            else PlayedInteractions(org, clock)
        )

    async def play(self, parts: Parts) -> None:
        """Start, send, wait, account; then go on for ever if the demo is to keep running."""
        async with aiohttp.ClientSession() as session:
            with self._screen.doing("starting broker, simulator, bridge and worker"):
                running = await pipeline.start(parts, session, self._org, self.data)
            async with Observer(running, session, self._played.ledger) as observer:
                self.account = await self._played.play(running, session, observer, self._screen)
                self._screen.conclude(self.account, observer.readings)
        if self._keep_running:
            self._screen.say(self._played.how_to_look(running, parts.logs, self.account.example))
            await asyncio.Event().wait()


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
