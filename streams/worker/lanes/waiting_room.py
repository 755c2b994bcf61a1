"""Holds records that were put off until their time has come, in no lane and no slot.

Then it admits a few at a time. Otherwise records that the API fails for good would take its time
from all others. What the memory has no room for waits on the disk, and what that has none for waits
in Kafka.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterator
from math import inf

from streams.clock import Clock
from streams.core.due_order import Place
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.spill import Spill, Spilled, due_place

# The most bytes of these records: an event usually has a kilobyte, but may have a thousand.
ROOM_BYTES = 64 << 20

# A room that was full takes records again once no more than this part of it is full. With 1 it
# would hold the partitions back and let them go again with every single record.
ROOM_AGAIN = 0.5

# How much of the room those may fill that are not due soon. Without it a million looks of the hour
# to come would fill it, and each call that ends now would have its own looks, due within seconds,
# written to the disk and read again: a quarter of the rate (python -m benchmarks.looks).
DISTANT_SHARE = 0.5
SOON_SECONDS = 5.0

# Longest sleep before the clock is looked at again: an earlier record may have come.
LOOK_SECONDS = 0.25


class WaitingRoom:
    """Gives each record to ``admit`` once its ``not_before`` has passed, ordered by that, then by
    partition and offset.

    At most ``at_once`` admitted records are out at a time: ``ended`` reports the end of one. At
    most ``room`` wait in memory, and, while the disk has room, no more than half of it are such as
    are not due within seconds. Others wait in ``spill``, out of which ``read_again`` makes them
    anew. When both are full the partitions of `retries` are read no further, and later records wait
    in Kafka: ``hold`` is called with True while no more may come, and with False when they may
    again.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        at_once: int,
        room: int,
        spill: Spill,
        read_again: Callable[[Spilled], SourceRecord],
        admit: Callable[[SourceRecord], Awaitable[None]],
        hold: Callable[[bool], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._clock = clock
        self._doors = asyncio.Semaphore(at_once)
        self._room = room
        self.spill = spill
        self._read_again = read_again
        self._admit = admit
        self._hold = hold
        self._on_failure = on_failure
        self._waiting: list[tuple[Place, SourceRecord]] = []
        self._bytes = 0
        self._full = False
        self._looking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self.spill)

    def records(self) -> Iterator[SourceRecord]:
        """All that wait in memory, in no order."""
        return (record for _, record in self._waiting)

    def spilled(self, most: int) -> Iterator[SourceRecord]:
        """Those of the disk that are due next, at most so many. Raises StoreError."""
        return map(self._read_again, self.spill.next(most))

    @property
    def full(self) -> bool:
        return self._full

    def put(self, record: SourceRecord) -> None:
        """Never blocks. When full it holds the partitions back, but still accepts records already
        fetched. Raises StoreError."""
        place = due_place(record)
        soon = place.due_ms <= (self._clock.time() + SOON_SECONDS) * 1000
        if self._fills(1.0 if soon else DISTANT_SHARE) and not self.spill.fills(1.0):
            self.spill.put(record)
        else:
            heapq.heappush(self._waiting, (place, record))
            self._bytes += record.size
        if self._fills(1.0) and self.spill.fills(1.0):
            self._full = True
            # Repeated each time: Faust goes on reading by itself once its own queue is empty
            # (test_faust_consumer.py).
            self._hold(True)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="waiting-room")
            self._looking.add_done_callback(self._ended)

    def ended(self) -> None:
        """An admitted record was decided, or left to the next owner: another may be admitted."""
        self._doors.release()

    def close(self) -> None:
        """Admit no more. Records that wait are left to the partition's next owner."""
        if self._looking is not None:
            self._looking.cancel()
        self._waiting.clear()
        self._bytes = 0
        self.spill.clear()

    async def _look(self) -> None:
        while True:
            while self._is_due():
                await self._doors.acquire()
                if not self._is_due():
                    # The clock was set back while all doors were taken.
                    self._doors.release()
                    break
                record = self._take_first()
                if self._full and not (self._fills(ROOM_AGAIN) and self.spill.fills(ROOM_AGAIN)):
                    self._full = False
                    self._hold(False)
                await self._admit(record)
            await self._clock.sleep(LOOK_SECONDS)

    def _is_due(self) -> bool:
        """Whether the time of the next one has come."""
        spilled = self.spill.first()
        due_ms = spilled.due_ms if spilled is not None else inf
        if self._waiting:
            due_ms = min(due_ms, self._waiting[0][0].due_ms)
        return due_ms <= self._clock.time() * 1000

    def _take_first(self) -> SourceRecord:
        spilled = self.spill.first()
        if spilled is not None and (not self._waiting or spilled < self._waiting[0][0]):
            return self._read_again(self.spill.pop())
        _, record = heapq.heappop(self._waiting)
        self._bytes -= record.size
        return record

    def _fills(self, share: float) -> bool:
        return len(self._waiting) >= share * self._room or self._bytes >= share * ROOM_BYTES

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._on_failure(failure)
