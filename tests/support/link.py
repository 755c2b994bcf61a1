"""One stretch of network that can break: a proxy between a process and an address.

It carries bytes and knows no protocol. What is held back while a link is broken goes on when it is
mended, in order and whole, as TCP does when a cable is put back in: also when its sender has closed
the connection by then, for the system goes on sending. Only a connection that was reset is gone,
with all that it had to send.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

# Of one read. A slow link delays each of them.
CHUNK_BYTES = 16 * 1024

# What a link holds of one connection before its sender has to wait: more than comes. A link that no
# longer reads hears of no reset, and delivers what it holds when it is mended.
HELD_BYTES = 64 * 1024 * 1024

Address = tuple[str, int]
"""``(HOST, PORT)``"""


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction. ``passes``: bytes of each connection that get through before it is mended;
    None: all. ``delay``: seconds that each chunk takes."""

    passes: int | None = None
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """``there``: from the one who connects; ``back``: what is answered. ``half_open``: connections
    that are open have ended at the far side, and the one who connected is never told."""

    there: Flow = Flow()
    back: Flow = Flow()
    half_open: bool = False


WHOLE = Trouble()

_NOTHING = Flow(passes=0)

CUT = Trouble(_NOTHING, _NOTHING)
# What is asked arrives and is done; the answer does not come.
UNANSWERED = Trouble(back=_NOTHING)
# What is asked does not arrive; answers on their way do.
UNHEARD = Trouble(there=_NOTHING)
HALF_OPEN = Trouble(half_open=True)


def slow(delay: float) -> Trouble:
    return Trouble(Flow(delay=delay), Flow(delay=delay))


def starved(passes: int) -> Trouble:
    """So many bytes of an answer, and then nothing."""
    return Trouble(back=Flow(passes=passes))


class Link:
    """From ``listens`` to ``leads_to``, while it is ``open``. A change of ``leads_to`` is for
    connections that are still to be made."""

    def __init__(self, listens: Address, leads_to: Address) -> None:
        self.listens, self.leads_to = listens, leads_to
        self._connections: set[asyncio.Task[None]] = set()
        self._forgotten = asyncio.Event()
        self._troubles: list[Trouble] = []
        self.trouble = WHOLE
        """What all of them come to."""
        self.changed = asyncio.Event()
        """Set, and replaced, when the trouble changes."""
        self.ended = 0
        """Connections that are over, as far as the link has heard."""
        self.carried = 0
        """Bytes that got through, both ways."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Address]:
        """Yields where it listens: for a port 0, the one that the system chose."""
        server = await asyncio.start_server(self._accept, *self.listens, limit=HELD_BYTES)
        try:
            yield server.sockets[0].getsockname()
        finally:
            server.close()
            for each in self._connections:
                each.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    @contextmanager
    def broken(self, trouble: Trouble) -> Iterator[None]:
        """For the connections that there are and for new ones. Of several troubles the worst of
        each kind counts; what is held goes on when none holds it. Nobody ever tells those that are
        half open.
        """
        this = replace(trouble)  # two may be equal, and each is to end by itself
        self._troubles.append(this)
        self._change()
        if this.half_open:
            self._forgotten.set()
            self._forgotten = asyncio.Event()
        try:
            yield
        finally:
            self._troubles = [each for each in self._troubles if each is not this]
            self._change()

    def _change(self) -> None:
        self.trouble = Trouble(
            _worst([each.there for each in self._troubles]),
            _worst([each.back for each in self._troubles]),
        )
        self.changed.set()
        self.changed = asyncio.Event()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(serving)
        serving.add_done_callback(self._end)

    def _end(self, serving: asyncio.Task[None]) -> None:
        self._connections.discard(serving)
        self.ended += 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = _Way(self, "there"), _Way(self, "back")
        async with _ended_after(writer):
            await there.lets_through(1)  # before that, not even the wish to connect arrives
            forgotten = self._forgotten
            far_reader, far_writer = await asyncio.open_connection(*self.leads_to, limit=HELD_BYTES)
            async with _ended_after(far_writer):
                await _first(
                    there.carry(reader, far_writer),
                    back.carry(far_reader, writer),
                    forgotten.wait(),
                    _reset(writer),
                )
            if forgotten.is_set():
                while await reader.read(CHUNK_BYTES):
                    """Into nowhere, until its sender gives up."""


def _worst(flows: Sequence[Flow]) -> Flow:
    """The least that passes, and the longest delay."""
    passes = [each.passes for each in flows if each.passes is not None]
    return Flow(min(passes, default=None), max((each.delay for each in flows), default=0.0))


@asynccontextmanager
async def _ended_after(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """The connection ends with the block; and its end by itself is no failure."""
    # What was written is on its way before anything else is, and before the end.
    writer.transport.set_write_buffer_limits(0)
    try:
        yield
    except OSError:
        """One side is gone: so is the other."""
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Until the connection is reset; another end of it is carried."""
    # A task of its own: a wait that is cancelled would cancel the one future that all wait for.
    closed = asyncio.ensure_future(writer.wait_closed())
    closed.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    await asyncio.wait({closed})


async def _first(*ways: Coroutine[Any, Any, object]) -> None:
    """Until one of them has ended; the others end with it."""
    tasks = [asyncio.create_task(each) for each in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)
    for each in done:
        each.result()


class _Way:
    """One direction of one connection."""

    def __init__(self, link: Link, name: Literal["there", "back"]) -> None:
        self._link, self._name = link, name
        self._seen = WHOLE
        self._through = 0  # bytes, since the trouble that was seen last began

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the end comes through."""
        while chunk := await reader.read(CHUNK_BYTES):
            while chunk:
                number = await self.lets_through(len(chunk))
                writer.write(chunk[:number])
                await writer.drain()
                self._link.carried += number
                chunk = chunk[number:]
        await self.lets_through(1)

    async def lets_through(self, wanted: int) -> int:
        """How many of so many bytes, as soon as it is one at least."""
        while True:
            trouble, changed = self._link.trouble, self._link.changed
            if trouble is not self._seen:
                self._seen, self._through = trouble, 0
            flow: Flow = getattr(trouble, self._name)
            left = wanted if flow.passes is None else min(wanted, flow.passes - self._through)
            if not left or flow.delay:
                wait = flow.delay if left else None
                try:
                    await asyncio.wait_for(changed.wait(), wait)
                except TimeoutError:
                    """The delay is over, and the trouble the same."""
                else:
                    continue
            self._through += left
            return left
