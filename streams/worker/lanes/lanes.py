"""Lanes (promise 1): one per interaction, strictly in order inside, all of them side by side.

Lanes wait for one another only at two shared limits: how many interactions are worked on at once,
and how many records may be in memory (promise 11).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Generic, Protocol, TypeVar

from streams.clock import Resting
from streams.core.stuck import Where
from streams.worker.lanes.slots import Slots

# Records in memory for each interaction worked on: enough to keep every slot busy while some lanes
# hold a queue, few enough that a backlog of a million records stays in Kafka.
BACKLOG_PER_SLOT = 10


class InLane(Protocol):
    """A piece of work that knows its lane, and whether a drain still has to finish it."""

    @property
    def lane(self) -> Hashable: ...

    @property
    def owed(self) -> bool:
        """Whether later ones would have to be done again if this one were left unfinished."""
        ...


W = TypeVar("W", bound=InLane)


class Lanes(Generic[W]):
    """Runs ``work(item, resting)`` for each item put, one at a time within a lane.

    ``work`` must handle its own errors. An error that escapes closes the lanes, so that nothing
    starts behind it, and is given to ``on_failure``. That must end the worker: an item that was
    neither finished nor given up would hold the frontier for ever.
    """

    def __init__(
        self,
        work: Callable[[W, Resting], Awaitable[None]],
        *,
        in_flight: int,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._work = work
        self._on_failure = on_failure
        self._slots = Slots(in_flight)
        self._room = asyncio.Semaphore(in_flight * BACKLOG_PER_SLOT)
        self._queues: dict[Hashable, deque[W]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._worked_on: set[Hashable] = set()
        self._at_the_door: list[W] = []
        self._closed = asyncio.Event()
        self._draining = False
        self.backlog = 0

    @property
    def in_flight(self) -> int:
        """Lanes worked on right now."""
        return self._slots.in_use

    @property
    def active(self) -> int:
        """Lanes with something to do."""
        return len(self._queues)

    def holds(self, lane: Hashable) -> bool:
        """Whether the lane has something to do."""
        return lane in self._queues

    def entries(self) -> Iterator[tuple[W, Where]]:
        """Each item put and not ended, and where it is."""
        for lane, queue in self._queues.items():
            for place, item in enumerate(queue):
                if place:
                    yield item, Where.BEHIND
                else:
                    yield item, Where.WORKED_ON if lane in self._worked_on else Where.NO_SLOT
        for item in self._at_the_door:
            yield item, Where.NO_SLOT

    async def put(self, item: W) -> bool:
        """Append an item to its lane; waits while memory is full.

        Returns False, and drops the item, when the lanes were closed meanwhile.
        """
        if self._closed.is_set():
            return False
        if self._room.locked():
            await self._room_or_closed(item)
        else:
            await self._room.acquire()
        if self._closed.is_set():
            return False
        self.backlog += 1
        queue = self._queues.get(item.lane)
        if queue is not None:
            queue.append(item)
            return True
        self._queues[item.lane] = deque([item])
        task = asyncio.create_task(self._run(item.lane))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    async def drain(self, seconds: float) -> bool:
        """Let every lane finish its record in hand and the owed ones queued behind it; drop the
        rest. After ``seconds``, cancel the lanes that still run.

        Returns whether all ended by themselves. Afterwards nothing runs and nothing is accepted.
        """
        self._draining = True
        self._closed.set()
        ended = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            ended = not late
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        self._queues.clear()
        return ended

    async def _run(self, lane: Hashable) -> None:
        queue = self._queues[lane]
        await self._slots.take()
        self._worked_on.add(lane)
        try:
            while queue and self._goes_on(queue[0]):
                await self._work(queue[0], self._slots.resting)
                queue.popleft()
                self.backlog -= 1
                self._room.release()
        except Exception:
            # If a later record of this lane were published, that would pass for proof that this one
            # was too.
            self._closed.set()
            raise
        finally:
            self._slots.give_back()
            self._worked_on.discard(lane)
            self._queues.pop(lane, None)

    def _goes_on(self, item: W) -> bool:
        return not self._closed.is_set() or (self._draining and item.owed)

    async def _room_or_closed(self, item: W) -> None:
        self._at_the_door.append(item)
        room = asyncio.ensure_future(self._room.acquire())
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({room, closed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._at_the_door.remove(item)
            closed.cancel()
            if not room.done():
                room.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._on_failure(failure)
