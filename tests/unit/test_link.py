"""The proxy that a network is broken with: what gets through in each trouble, and afterwards."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from itertools import zip_longest

import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from tests.support.link import (
    CUT,
    HALF_OPEN,
    UNANSWERED,
    UNHEARD,
    WHOLE,
    Address,
    Flow,
    Link,
    Trouble,
    slow,
    starved,
)
from tests.support.workers import eventually

SECONDS = 10.0

# Nothing may come; whatever is waited for would come in a fraction of this.
SILENCE_SECONDS = 0.1


class Echo:
    """A server that gives back what it gets."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.connections = self.ended = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Address]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while chunk := await reader.read(65_536):
                self.received += chunk
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            """The end, too."""
        finally:
            self.ended += 1
            writer.transport.abort()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, sent: bytes) -> None:
        self.writer.write(sent)

    async def gets(self, wanted: bytes) -> bool:
        return await asyncio.wait_for(self.reader.readexactly(len(wanted)), SECONDS) == wanted

    async def hears_nothing(self) -> bool:
        try:
            await asyncio.wait_for(self.reader.read(1), SILENCE_SECONDS)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def linked() -> AsyncIterator[tuple[Link, Echo, Callable[[], asyncio.Future[Client]]]]:
    echo = Echo()
    async with echo.open() as address:
        link = Link(("127.0.0.1", 0), address)
        async with link.open() as there:
            made: list[Client] = []

            async def connect() -> Client:
                made.append(Client(*await asyncio.open_connection(*there)))
                return made[-1]

            yield link, echo, lambda: asyncio.ensure_future(connect())
            for each in made:
                each.writer.transport.abort()
        await eventually(lambda: echo.ended == echo.connections, SECONDS, "all have ended")


@pytest_asyncio.fixture
async def world() -> AsyncIterator[tuple[Link, Echo, Client]]:
    """A connection that has carried something."""
    async with linked() as (link, echo, connect):
        client = await connect()
        client.send(b"hello")
        assert await client.gets(b"hello")
        yield link, echo, client


World = tuple[Link, Echo, Client]


async def test_nothing_gets_through_a_cut_and_all_of_it_afterwards(world: World) -> None:
    link, echo, client = world
    with link.broken(CUT):
        client.send(b"later")
        assert await client.hears_nothing()
        assert echo.received == b"hello"
    assert await client.gets(b"later")


async def test_a_request_is_done_whose_answer_does_not_come(world: World) -> None:
    link, echo, client = world
    with link.broken(UNANSWERED):
        client.send(b"do")
        await eventually(lambda: echo.received == b"hellodo", SECONDS, "it arrived")
        assert await client.hears_nothing()
    assert await client.gets(b"do")


async def test_a_request_does_not_arrive_while_answers_do(world: World) -> None:
    link, echo, client = world
    with link.broken(Trouble(back=Flow(delay=0.2))):
        client.send(b"1")
        await eventually(lambda: echo.received == b"hello1", SECONDS, "it arrived")
        with link.broken(UNHEARD):
            client.send(b"2")
            assert await client.gets(b"1")
            assert await client.hears_nothing()
        assert echo.received == b"hello1"
    assert await client.gets(b"2")


async def test_a_few_bytes_and_then_nothing(world: World) -> None:
    link, _, client = world
    with link.broken(starved(3)):
        client.send(b"reply")
        assert await client.gets(b"rep")
        assert await client.hears_nothing()
    assert await client.gets(b"ly")


async def test_what_is_slow_comes_late_and_whole(world: World) -> None:
    link, _, client = world
    with link.broken(slow(0.2)):
        began = asyncio.get_running_loop().time()
        client.send(b"late")
        assert await client.gets(b"late")
        assert asyncio.get_running_loop().time() - began >= 0.4


async def test_a_half_open_connection_never_hears_of_its_end_and_a_new_one_is_whole() -> None:
    async with linked() as (link, echo, connect):
        old = await connect()
        old.send(b"a")
        assert await old.gets(b"a")
        with link.broken(HALF_OPEN):
            await eventually(lambda: echo.ended == 1, SECONDS, "the far side has heard of it")
            old.send(b"b")
            assert await old.hears_nothing()
            new = await connect()
            new.send(b"c")
            assert await new.gets(b"c")
        assert await old.hears_nothing()
        assert echo.received == b"ac"


async def test_nobody_is_reached_through_a_cut_until_it_is_mended() -> None:
    async with linked() as (link, echo, connect):
        with link.broken(CUT):
            client = await connect()
            client.send(b"a")
            assert await client.hears_nothing()
            assert echo.connections == 0
        assert await client.gets(b"a")


async def test_an_end_comes_through_a_whole_link_and_not_through_a_cut(world: World) -> None:
    link, echo, client = world
    with link.broken(CUT):
        client.writer.close()
        await asyncio.sleep(SILENCE_SECONDS)
        assert echo.ended == 0
    await eventually(lambda: echo.ended == 1, SECONDS, "the far side has heard of the end")


async def test_what_a_reset_connection_had_to_send_is_gone_and_that_of_a_closed_one_is_not() -> (
    None
):
    async with linked() as (link, echo, connect):
        closed, reset = await connect(), await connect()
        for each in (closed, reset):
            each.send(b"a")
            assert await each.gets(b"a")
        with link.broken(CUT):
            closed.send(b"b" * 100_000)
            reset.send(b"c" * 100_000)
            await asyncio.sleep(SILENCE_SECONDS)
            closed.writer.close()
            socket_of(reset).setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            reset.writer.transport.abort()
            await eventually(lambda: echo.ended == 1, SECONDS, "the reset is known")
        await eventually(lambda: echo.ended == 2, SECONDS, "the end is known")
        assert bytes(echo.received) == b"aa" + b"b" * 100_000


def socket_of(client: Client) -> socket.socket:
    found: socket.socket = client.writer.get_extra_info("socket")
    return found


async def test_a_trouble_ends_by_itself_and_not_with_another(world: World) -> None:
    link, _, client = world
    first, second = ExitStack(), ExitStack()
    first.enter_context(link.broken(CUT))
    second.enter_context(link.broken(CUT))
    client.send(b"later")
    first.close()
    assert await client.hears_nothing()
    second.close()
    assert await client.gets(b"later")


async def test_of_several_troubles_the_worst_counts(world: World) -> None:
    """A cut stays one, whatever else breaks meanwhile."""
    link, echo, client = world
    with link.broken(CUT):
        client.send(b"later")
        for other in (slow(0.01), starved(3), UNANSWERED):
            with link.broken(other):
                assert await client.hears_nothing()
        assert echo.received == b"hello"
    assert await client.gets(b"later")
    with link.broken(slow(0.2)), link.broken(starved(2)):
        began = asyncio.get_running_loop().time()
        client.send(b"noon")
        assert await client.gets(b"no")
        assert asyncio.get_running_loop().time() - began >= 0.4
        assert await client.hears_nothing()
    assert await client.gets(b"on")


async def test_where_nobody_listens_the_connection_ends() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with Link(("127.0.0.1", 0), nobody.getsockname()).open() as there:
            reader, writer = await asyncio.open_connection(*there)
            assert await asyncio.wait_for(reader.read(), SECONDS) == b""
            writer.close()
            await writer.wait_closed()


@given(
    sent=st.lists(st.binary(min_size=1, max_size=40_000), max_size=4),
    troubles=st.lists(
        st.sampled_from([CUT, UNANSWERED, UNHEARD, WHOLE, starved(7), slow(0.001)]), max_size=6
    ),
)
async def test_whatever_breaks_once_it_is_mended_all_has_come_in_order(
    sent: list[bytes], troubles: list[Trouble]
) -> None:
    async with linked() as (link, _, connect):
        client = await connect()
        with ExitStack() as broken:
            for trouble, chunk in zip_longest(troubles, sent):
                broken.enter_context(link.broken(trouble or WHOLE))
                client.send(chunk or b"")
                await asyncio.sleep(0)
        assert await client.gets(b"".join(sent))
        assert link.carried == 2 * sum(map(len, sent))
