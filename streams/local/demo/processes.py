"""The parts of the demo, each a process of its own as a user would start it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import aiohttp

import streams
from streams.core.foreign_text import foreign_text
from streams.errors import DemoError

T = TypeVar("T")

# The variables that a process needs from its surroundings, and OTEL_*, so that traces of the demo
# can be looked at. Settings are not among them: the caller's GENESYS_* and KAFKA_* may well point
# to the real systems.
_SURROUNDINGS = (
    "PATH",
    "HOME",
    "TMPDIR",
    "TZ",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
)

# The time for one part to come up on a busy machine; Python and its imports take about a second.
START_SECONDS = 60.0

# The time between two checks whether it has come up.
POLL_SECONDS = 0.05

# The time for all parts together to leave once the demo is told to. A command has 10 s for that;
# here nobody loses anything by a kill.
STOP_SECONDS = 7.0

# Lines of a dead part's log that are shown: the end of a traceback and what led to it.
LAST_LINES = 15

# Characters of each of those lines; a traceback may quote a record.
LINE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Part:
    """One process and the files that it writes. ``name`` is what the demo calls it."""

    name: str
    process: asyncio.subprocess.Process
    out: Path
    err: Path

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def announced(self, name: str) -> str | None:
        """The value in its first line on stdout, ``name=value``; None before the line is there."""
        line, newline, _ = self.out.read_text().partition("\n")
        key, _, value = line.partition("=")
        return value if newline and key == name else None

    def end(self) -> str:
        """How the process ended: ``exit code 1``, ``killed by SIGKILL``."""
        code = self.process.returncode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def last_words(self) -> str:
        """The end of what it has written to stderr."""
        lines = self.err.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "\n".join([f"the {self.name}'s last lines:", *map(_indented, lines)])


class Parts:
    """Starts the parts and leaves none behind. Async context manager.

    ``directory``: where the parts run, so that no ``.env`` of the caller's is read. Their logs go
    to ``logs`` in it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.logs = directory / "logs"
        self._parts: list[Part] = []
        self._waits: list[asyncio.Task[None]] = []
        self._dead: asyncio.Queue[Part] = asyncio.Queue()

    async def __aenter__(self) -> Parts:
        self.logs.mkdir()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the parts, the youngest first: it may need the older ones until it is gone."""
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        for part in reversed(self._parts):
            _send(part, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await part.process.wait()
            _send(part, signal.SIGKILL)
            await part.process.wait()
        await asyncio.gather(*self._waits)

    async def start(self, name: str, command: Iterable[str], settings: Mapping[str, str]) -> Part:
        """Run ``genesys-streams COMMAND``, a command that goes on, with these settings and no
        others."""
        part = await self._spawn(name, command, settings)
        self._waits.append(asyncio.create_task(self._wait(part)))
        return part

    async def complete(
        self, name: str, command: Iterable[str], settings: Mapping[str, str]
    ) -> None:
        """Run a command that ends by itself. Raises DemoError when it fails."""
        part = await self._spawn(name, command, settings)
        if await part.process.wait():
            raise DemoError(f"{name} failed ({part.end()}); {part.last_words()}")

    async def _spawn(self, name: str, command: Iterable[str], settings: Mapping[str, str]) -> Part:
        out, err = self.logs / f"{name}.out", self.logs / f"{name}.err"
        with ExitStack() as files:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "streams",
                *command,
                cwd=self._directory,
                env=environment(os.environ, settings),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=files.enter_context(out.open("wb")),
                stderr=files.enter_context(err.open("wb")),
                # Ctrl-C in the terminal is for the demo, which ends its parts in order.
                start_new_session=True,
            )
        part = Part(name, process, out, err)
        self._parts.append(part)
        return part

    async def first_death(self) -> Part:
        """Wait until one of the parts has ended, including parts that are started meanwhile."""
        return await self._dead.get()

    async def _wait(self, part: Part) -> None:
        await part.process.wait()
        self._dead.put_nowait(part)

    def kill(self) -> None:
        """End all parts at once; leaving the context waits for them."""
        for part in self._parts:
            _send(part, signal.SIGKILL)


def environment(surroundings: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """The variables of a part: those that any process needs, where its telemetry goes, the path of
    this very package, and the settings."""
    kept = {
        name: value
        for name, value in surroundings.items()
        if name in _SURROUNDINGS or name.startswith("OTEL_")
    }
    path = [str(Path(streams.__file__).parents[1]), kept.get("PYTHONPATH", "")]
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, path))} | dict(settings)


async def announcement(part: Part, name: str) -> str:
    """Wait for a part's first line, ``name=value``; returns the value. Raises DemoError."""
    return await _until(lambda: part.announced(name), f"the {part.name} to print {name}=")


async def ready(session: aiohttp.ClientSession, part: Part, url: str) -> None:
    """Wait until ``url/readyz`` answers 200. Raises DemoError with what it says instead."""
    said = "nothing"
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    async with session.get(f"{url}/readyz") as answer:
                        if answer.status == 200:
                            return
                        said = await answer.text()
                except aiohttp.ClientError as exc:
                    said = str(exc)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise DemoError(
            f"the {part.name} was not ready within {START_SECONDS:g} s; it said: {said}"
        ) from None


def _indented(line: str) -> str:
    """The line, made fit for a terminal and indented as a traceback's lines are."""
    text = line.lstrip(" ")
    return f"  {' ' * (len(line) - len(text))}{foreign_text(text, LINE_LENGTH)}"


async def _until(condition: Callable[[], T | None], what: str) -> T:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while (value := condition()) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise DemoError(f"waited {START_SECONDS:g} s for {what} in vain")
        await asyncio.sleep(POLL_SECONDS)
    return value


def _send(part: Part, number: signal.Signals) -> None:
    if part.running:
        with suppress(ProcessLookupError):  # it has just left by itself
            part.process.send_signal(number)
