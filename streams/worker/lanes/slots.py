"""How many interactions are worked on at once (MAX_IN_FLIGHT), and whose turn it is."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_Queue = deque[asyncio.Future[None]]


class Slots:
    """Slots are given first come, first served, but a lane that comes back from a rest is served
    first.

    A lane that only waits to try its call again gives its slot to others meanwhile. If it then had
    to wait behind all of them, its turn might never come.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._free = number
        self._resumed: _Queue = deque()
        self._new: _Queue = deque()

    @property
    def in_use(self) -> int:
        return self._number - self._free

    async def take(self) -> None:
        """Wait for a slot. The caller must ``give_back`` it."""
        await self._take(self._new)

    def give_back(self) -> None:
        for queue in (self._resumed, self._new):
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """Give the slot to others for the duration of the block. It is taken again on the way out,
        also after a cancellation, so that the caller always has one to give back."""
        self.give_back()
        try:
            yield
        finally:
            await self._take(self._resumed)

    async def _take(self, queue: _Queue) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # The slot was given in the same moment: pass it on.
                self.give_back()
            raise
