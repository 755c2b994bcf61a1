"""Run until told to stop, drain, leave: what every command that takes its time has in common."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

import click

from streams.last_resort import leave_now, leave_within

# The contract gives a command 10 s from the first signal to leave. A drain that hangs is cut off
# just before, so that no supervisor has to resort to SIGKILL and no process is left behind.
DRAIN_SECONDS = 9.5

T = TypeVar("T")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run ``main(stop)``; SIGTERM or Ctrl-C sets ``stop``, upon which it has to drain and return.

    Returns when ``main`` does and raises what it raises. A second signal, or 9.5 s after the first
    one, ends the process at once with exit code 1: what was not finished is left to be done again.
    """
    asyncio.run(_until_stopped(main))


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run the work to its end and return what it comes to. Raises click.Abort when a signal ends
    it in between."""
    results: list[T] = []

    async def until_stopped(stop: asyncio.Event) -> None:
        working = asyncio.current_task()
        assert working is not None, "a loop runs it"
        stopping = asyncio.create_task(_cancel(working, stop))
        try:
            # Not in a task of its own: asyncio ends the loop over a SystemExit in whatever task it
            # is raised, and when that is not the main one it is told as a lost exception. Rich
            # raises one when nobody reads its output any more.
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


async def _until_stopped(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def first_signal() -> None:
        stop.set()
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, _second_signal)
        leave_within(DRAIN_SECONDS, f"not drained in {DRAIN_SECONDS} s")

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, first_signal)
    await main(stop)


def _second_signal(number: int, _frame: FrameType | None) -> None:
    leave_now(f"second {signal.Signals(number).name}")
