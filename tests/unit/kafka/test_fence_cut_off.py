"""What leaves a producer whose network is cut, or that is frozen in the wrong moment."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError

from streams.kafka.fence import Fenced
from tests.support.authority import Authority
from tests.support.link import CUT, Link
from tests.support.scripted import until
from tests.support.sending import PRODUCE, Sending

HELLO = b"hello"
REQUEST = bytes(300_000)
WHOLE = len(HELLO + REQUEST)
MORE_THAN_THE_KERNEL_TAKES = 32 << 20


class CutOff:
    """A producer that is connected to a broker over a link, which is cut as its request leaves.
    ``arrived``: what the broker got. ``ended``: the broker was told that the connection has."""

    def __init__(self, sending: Sending, tmp_path: Path, *, tls: bool) -> None:
        self.sending = sending
        self.arrived = bytearray()
        self.ended = asyncio.Event()
        self.given_up = asyncio.Event()
        self._served = self._trusted = None
        if tls:
            authority = Authority(tmp_path)
            self._served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._served.load_cert_chain(authority.certificate("server", hosts=("localhost",)))
            self._trusted = ssl.create_default_context(cafile=authority.file)

    @asynccontextmanager
    async def request_under_way(self) -> AsyncIterator[Link]:
        """The cable is put back in with the end of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._served)
        link = Link(("127.0.0.1", 0), server.sockets[0].getsockname())
        async with server, link.open() as there:
            name = None if self._trusted is None else "localhost"
            reader, writer = await asyncio.open_connection(
                *there, ssl=self._trusted, server_hostname=name
            )
            self.sending.connect(writer)
            writer.write(HELLO)
            await until(lambda: self.arrived == HELLO)

            async def leaves(*_: Any, group: Any) -> bytes:
                self.sending.log.append("leaves")
                writer.write(REQUEST)
                await _first(reader.read(), self.given_up.wait())
                if self.given_up.is_set():
                    # As aiokafka does after its time-out.
                    writer.transport.close()
                    raise RequestTimedOutError
                return b""

            self.sending.producer._send_request = leaves
            under_way = asyncio.create_task(self.sending.send(PRODUCE))
            try:
                with link.broken(CUT):
                    await until(lambda: "leaves" in self.sending.log)
                    yield link
                await until(lambda: self.ended.is_set() or len(self.arrived) == WHOLE)
            finally:
                self.given_up.set()
                await asyncio.wait({under_way})
                under_way.exception()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while some := await reader.read(65_536):
                self.arrived += some
        await _closed(writer)
        self.ended.set()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Until one of them has ended."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
async def cut_off(request: pytest.FixtureRequest, sending: Sending, tmp_path: Path) -> CutOff:
    return CutOff(sending, tmp_path, tls=request.param)


async def test_a_request_under_way_is_reset_when_it_might_not_have_left(cut_off: CutOff) -> None:
    """Else it would arrive once the cable is back in, behind what the next owner wrote."""
    async with cut_off.request_under_way() as link:
        cut_off.sending.may_send = False
        await until(lambda: link.ended == 1)

    assert cut_off.arrived == HELLO


async def test_a_fence_resets_what_is_under_way(cut_off: CutOff) -> None:
    async with cut_off.request_under_way() as link:
        cut_off.sending.producer.fence()
        await until(lambda: link.ended == 1)

    assert cut_off.arrived == HELLO


async def test_a_request_that_is_given_up_is_reset(cut_off: CutOff) -> None:
    """While we are the owner: by the time that it would arrive, nobody may be told any more."""
    async with cut_off.request_under_way() as link:
        cut_off.given_up.set()
        await until(lambda: link.ended == 1)

    assert cut_off.arrived == HELLO


async def test_a_request_under_way_arrives_however_late_while_we_are_the_owner(
    cut_off: CutOff,
) -> None:
    async with cut_off.request_under_way():
        asked = len(cut_off.sending.log)
        await until(lambda: len(cut_off.sending.log) > asked + 2)

    assert cut_off.arrived == HELLO + REQUEST


async def test_one_that_was_closed_and_has_sent_all_since_does_not_stop_a_fence(
    sending: Sending,
) -> None:
    """asyncio can not abort it any more: the next ones are reset all the same."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(65_536):
                """It takes all."""
        await _closed(writer)
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        sending.connect(writer)
        await sending.send(PRODUCE)
        writer.write(bytes(MORE_THAN_THE_KERNEL_TAKES))
        writer.transport.close()
        assert writer.transport.get_write_buffer_size() > 0
        await until(lambda: not writer.transport.get_write_buffer_size())
        await ended.wait()
        sending.connect(SimpleNamespace(transport=sending.transport))
        await sending.send(PRODUCE)
        queued = await sending.producer._message_accumulator.add_message(
            TopicPartition("outcomes", 0), b"i-1", b"value", timeout=1
        )

        sending.producer.fence()

    assert sending.transport.aborted == 1
    assert isinstance(queued.exception(), Fenced)


class OfOneVersion(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """Asks the broker for no versions."""

    async def _do_version_lookup(self) -> None:
        self._versions = {0: (3, 8), 3: (0, 1)}


async def test_a_request_asks_once_more_when_it_is_all_bytes(sending: Sending) -> None:
    """A worker that is frozen while it makes them has lost its session when it goes on."""
    arrived = bytearray()
    ended = asyncio.Event()
    answers = [True, False]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while some := await reader.read(65_536):
                arrived.extend(some)
        await _closed(writer)
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        connection = OfOneVersion(host, port, security_protocol="PLAINTEXT")
        await connection.connect()
        producer = sending.producer
        sending.at(connection)
        producer._send_request = lambda *_, group: connection.send(PRODUCE)
        producer._may_send = lambda: answers.pop(0)
        with pytest.raises(KafkaConnectionError, match="the session ended"):
            await asyncio.wait_for(sending.send(PRODUCE), 5)
        await asyncio.wait_for(ended.wait(), 5)

    assert not arrived
    assert not answers
