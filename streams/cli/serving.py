"""Run until told to stop, drain, exit: the common part of all commands that run for long."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

import click

from streams.cli import signals
from streams.last_resort import leave_now, leave_within

# The contract gives a command 10 s from the first signal to leave. A drain that hangs is cut off
# just before, so that no supervisor has to resort to SIGKILL and no process is left behind.
DRAIN_SECONDS = 9.5

# A terminal sends Ctrl-C to every process of the command, and a process that started others passes
# it on, so one press may come twice. A Ctrl-C that comes later than this is a second press.
SECOND_PRESS_SECONDS = 1.0

T = TypeVar("T")


def serve(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run ``main(stop)``. SIGTERM, SIGHUP or Ctrl-C sets ``stop``; ``main`` then has to drain and
    return.

    Returns when ``main`` does and raises what it raises. 9.5 s after the first signal the process
    ends with exit code 1, and unfinished work is left to be done again. Only a second Ctrl-C, more
    than a second after the first, ends it sooner. A repeated SIGTERM does not, because supervisors
    repeat it and mean the same.
    """
    stopping = _Stopping()
    try:
        asyncio.run(stopping.run(main))
    finally:
        stopping.close()


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run the work to its end and return its result. Raises click.Abort when a signal ends it
    before."""
    results: list[T] = []

    async def until_stopped(stop: asyncio.Event) -> None:
        working = asyncio.current_task()
        assert working is not None, "a loop runs it"
        stopping = asyncio.create_task(_cancel(working, stop))
        try:
            # Not in a task of its own: asyncio ends the loop over a SystemExit in any task, and
            # reports it as a lost exception when that is not the main task. Rich raises SystemExit
            # when nobody reads its output any more.
            results.append(await work)
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
            raise click.Abort from None
        finally:
            stopping.cancel()

    serve(until_stopped)
    return results[0]


async def _cancel(task: asyncio.Task[Any], when: asyncio.Event) -> None:
    await when.wait()
    task.cancel()


class _Stopping:
    """The signals' handler, from before the loop runs to the end of the process.

    All signals share one handler, of Python and not of the loop: between the removal of one handler
    and the setting of the next, a signal would kill the process.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._signalled = False
        self._interrupted_at: float | None = None
        self._before = {number: signal.getsignal(number) for number in signals.handled()}
        self._heard, self._waker = os.pipe()
        # A thread, because the loop may be what hangs. It is not started in the handler, which may
        # interrupt code that holds the locks needed to start a thread.
        threading.Thread(target=self._hard_end, name="hard-end", daemon=True).start()
        for number in self._before:
            signal.signal(number, self._on_signal)

    async def run(self, main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        self._loop = asyncio.get_running_loop()
        if self._signalled:
            self._stop.set()
        await main(self._stop)

    def close(self) -> None:
        """Restore the handlers. Once a signal has come they are kept: further signals then change
        nothing up to the end of the process."""
        if self._signalled:
            atexit.register(signals.ignore, tuple(self._before))
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._waker)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if not self._signalled:
            self._signalled = True
            os.write(self._waker, b"!")
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stop.set)
        if number == signal.SIGINT:
            now = time.monotonic()
            if self._interrupted_at is None:
                self._interrupted_at = now
            elif now - self._interrupted_at > SECOND_PRESS_SECONDS:
                leave_now("second SIGINT")

    def _hard_end(self) -> None:
        woken = os.read(self._heard, 1)
        os.close(self._heard)
        if woken:
            leave_within(DRAIN_SECONDS, f"not drained in {DRAIN_SECONDS} s")
