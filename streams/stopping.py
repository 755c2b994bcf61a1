"""Work that must not delay the program's end: it is given up when the program is told to stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of the work. None when ``stop`` is set first; the work is then cancelled, or not
    begun."""
    if stop.is_set():
        work.close()
        return None
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
        return None if working.cancelled() else working.result()
    finally:
        stopping.cancel()
        working.cancel()


async def in_daemon_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Like ``asyncio.to_thread``, for a call that may never return.

    At their end asyncio and the interpreter wait for the threads of ``to_thread``. Nobody waits for
    this thread.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, failure: BaseException | None) -> None:
        if done.done():
            return  # nobody waits any more
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # None only where T is

    def run() -> None:
        result, failure = None, None
        try:
            result = function(*args, **kwargs)
        except BaseException as exc:  # noqa: BLE001 - whoever waits for it handles it
            failure = exc
        try:
            loop.call_soon_threadsafe(deliver, result, failure)
        except RuntimeError:
            return  # the loop has ended, and the coroutine that waited with it

    threading.Thread(target=run, name="asks Kafka", daemon=True).start()
    return await done
