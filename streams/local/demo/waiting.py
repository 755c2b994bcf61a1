"""When a demo is over: everything has come, or nothing comes any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from streams.clock import Clock
from streams.local.demo.ledger import Book
from streams.local.demo.observer import Observer
from streams.local.demo.processes import POLL_SECONDS
from streams.local.demo.screen import Screen

# After this time without an outcome the missing ones will not come: a record that is held because
# of a fault is tried again within a few seconds.
PATIENCE_SECONDS = 60.0

# The wait for what must not come any more: a second outcome of some record.
AFTERMATH_SECONDS = 1.0


async def last_outcome(
    observer: Observer, ledger: Book, clock: Clock, over: Callable[[], bool]
) -> float:
    """Wait until it is over, or until there is no hope. Returns the time of the last outcome."""
    decided, at = ledger.answers.total(), clock.monotonic()
    while clock.monotonic() - at < PATIENCE_SECONDS:
        observer.check()
        if ledger.answers.total() > decided:
            decided, at = ledger.answers.total(), clock.monotonic()
        if over():
            break
        await clock.sleep(POLL_SECONDS)
    await clock.sleep(AFTERMATH_SECONDS)
    observer.check()
    return at


@asynccontextmanager
async def shown(
    screen: Screen, observer: Observer, ledger: Book, planned: int
) -> AsyncIterator[None]:
    """The live view, for as long as the block takes."""
    showing = asyncio.create_task(screen.follow(ledger, observer.readings, planned))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.wait({showing})
