"""A bridge on a real socket, and ways to talk to it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from streams.bridge.http.run import run_http_bridge
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.settings import Settings

ROOT = Path(__file__).parents[2]

JSON_CONTENT = {"Content-Type": "application/json; charset=utf-8"}

LISTENING = re.compile(r"bridge listening on (https?://\S+)")


def event(interaction_id: str = "i-1", **detail: Any) -> bytes:
    """An EventBridge event that the bridge accepts, unless ``detail`` spoils it."""
    fields = {"interactionId": interaction_id, "sequenceId": 1, "state": "completed"} | detail
    return json.dumps({"detail-type": UPDATE_DETAIL_TYPE, "id": "e", "detail": fields}).encode()


async def post(url: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """POST to ``/events``; returns the status and the decoded answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/events", data=io.BytesIO(body), headers=JSON_CONTENT | named
        ) as answer,
    ):
        return answer.status, await answer.json()


async def get(url: str) -> tuple[int, Any]:
    """GET; returns the status and the decoded answer."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.json()


async def until_ready(url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            if (await get(f"{url}/readyz"))[0] == 200:
                return
            await asyncio.sleep(0.05)


class _Listening(logging.Handler):
    """Hears where the bridge listens, as an operator does."""

    def __init__(self, url: asyncio.Future[str]) -> None:
        super().__init__()
        self._url = url

    def emit(self, record: logging.LogRecord) -> None:
        if (said := LISTENING.search(record.getMessage())) and not self._url.done():
            self._url.set_result(said[1])


@asynccontextmanager
async def bridge_on(settings: Settings) -> AsyncIterator[str]:
    """Run the whole bridge in this loop; yields its URL, drains it at the end."""
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    log, heard = logging.getLogger("streams.bridge"), _Listening(url)
    log.setLevel(logging.INFO)
    log.addHandler(heard)
    running = asyncio.create_task(run_http_bridge(settings, stop))
    try:
        await asyncio.wait({running, url}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield await url
    finally:
        log.removeHandler(heard)
        stop.set()
        await asyncio.wait({running})
    running.result()


class Program:
    """``python -m streams`` or any other Python program, in a process of its own."""

    def __init__(
        self, *args: str, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *args],
            env=env,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._changed = threading.Condition()
        self._output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._output += line.decode()
                self._changed.notify_all()

    @property
    def output(self) -> str:
        """What it has said so far."""
        return self._output

    @property
    def descriptors(self) -> int:
        """How many it has open."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    @property
    def resident_mib(self) -> float:
        """Memory that it has now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def wait_for(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        """Wait until it has said something that matches."""
        found: Callable[[], re.Match[str] | None] = lambda: re.search(pattern, self._output)  # noqa: E731 - typed for wait_for
        with self._changed:
            match = self._changed.wait_for(found, seconds)
        assert match, f"{pattern} not in {seconds} s; it said:\n{self._output}"
        return match

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait until it has ended; returns its exit code."""
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code

    def end(self) -> None:
        """Whatever state it is in."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


# Starts a program with these arguments and variables.
Start = Callable[..., Program]
