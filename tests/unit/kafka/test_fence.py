"""A producer that asks before each produce request, and that can be fenced."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import NodeNotReadyError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest

from streams.kafka.fence import FenceableProducer, Fenced
from streams.kafka.message import Message
from tests.support.link import CUT, Link
from tests.support.scripted import until

PRODUCE = ProduceRequest(transactional_id=None, required_acks=-1, timeout=1000, topics=[])
METADATA = MetadataRequest([])

HELLO = b"hello"
REQUEST = bytes(300_000)
WHOLE = len(HELLO + REQUEST)


class Transport:
    """Of a connection to nobody, and its socket. ``options``: those that were set."""

    def __init__(self) -> None:
        self.closing = False
        self.aborted = 0
        self.options: list[tuple[object, ...]] = []

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str) -> Transport:
        assert name == "socket"
        assert not self.closing
        return self

    def setsockopt(self, *option: object) -> None:
        self.options.append(option)

    def abort(self) -> None:
        self.aborted += 1


class Connection:
    """aiokafka's, once it is connected."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def connected(self) -> bool:
        return True

    async def close(self, reason: object) -> None:
        """With the client."""


class Sending:
    """A producer without a broker. ``log``: what it asks, and what leaves, in order."""

    def __init__(self) -> None:
        self.may_send = True
        self.log: list[str] = []
        self.producer = FenceableProducer(
            may_send=self._may_send, bootstrap_servers="127.0.0.1:1", enable_idempotence=False
        )
        self.producer._send_request = self._leaves
        self.producer.client.ready = self._ready
        self.transport = Transport()
        self.connect(SimpleNamespace(transport=self.transport))

    def connect(self, writer: Any) -> None:
        self.producer.client._conns[(3, ConnectionGroup.DEFAULT)] = Connection(writer)

    def _may_send(self) -> bool:
        self.log.append("asked")
        return self.may_send

    async def _ready(self, node_id: int, *, group: Any) -> bool:
        assert (node_id, group) == (3, ConnectionGroup.DEFAULT)
        await asyncio.sleep(0)
        self.log.append("connected")
        return True

    async def _leaves(self, node_id: int, request: Any, *, group: Any) -> str:
        self.log.append(f"{type(request).__name__} leaves")
        return f"answer of {node_id}"

    async def send(self, request: Any) -> Any:
        """As aiokafka's sender does."""
        return await self.producer.client.send(3, request)

    async def held(self) -> asyncio.Task[Any]:
        """A produce request that may not leave."""
        self.may_send = False
        sending = asyncio.create_task(self.send(PRODUCE))
        await until(lambda: self.log.count("asked") >= 2)
        return sending


@pytest.fixture
async def sending() -> AsyncIterator[Sending]:
    sending = Sending()
    yield sending
    await sending.producer.stop()


async def test_it_asks_once_it_is_connected(sending: Sending) -> None:
    """What was answered before a connection was made may be untrue after it."""
    assert await sending.send(PRODUCE) == "answer of 3"

    assert sending.log == ["connected", "asked", "ProduceRequest leaves"]


async def test_nothing_comes_between_the_answer_and_the_request(sending: Sending) -> None:
    """Else the partitions could be revoked in between."""

    def answer() -> bool:
        asyncio.get_running_loop().call_soon(sending.log.append, "something else")
        return True

    sending.producer._may_send = answer

    await sending.send(PRODUCE)
    await asyncio.sleep(0)

    assert sending.log == ["connected", "ProduceRequest leaves", "something else"]


async def test_a_produce_request_waits_until_it_may_leave(sending: Sending) -> None:
    waiting = await sending.held()
    assert "ProduceRequest leaves" not in sending.log

    sending.may_send = True

    assert await asyncio.wait_for(waiting, 5) == "answer of 3"


async def test_requests_that_write_nothing_ask_nobody(sending: Sending) -> None:
    """The connection to the brokers is kept alive while a session is in doubt."""
    sending.may_send = False

    await sending.send(METADATA)

    assert [line.endswith("leaves") for line in sending.log] == [True]


async def test_what_leaves_is_thrown_away_with_its_connection(sending: Sending) -> None:
    await sending.send(PRODUCE)

    for_no_time = struct.pack("ii", 1, 0)
    assert sending.transport.options == [(socket.SOL_SOCKET, socket.SO_LINGER, for_no_time)]


@pytest.mark.parametrize("ending", ["closing", "replaced", "gone"])
async def test_a_connection_that_ended_while_it_waited_is_not_made_anew_behind_the_answer(
    sending: Sending, ending: str
) -> None:
    """Connecting takes as long as it takes, and the answer would be out of date."""
    waiting = await sending.held()
    match ending:
        case "closing":
            sending.transport.closing = True
        case "replaced":
            sending.connect(SimpleNamespace(transport=Transport()))
        case _:
            sending.producer.client._conns.clear()
    sending.may_send = True

    with pytest.raises(NodeNotReadyError):
        await asyncio.wait_for(waiting, 5)
    assert NodeNotReadyError.retriable
    assert "ProduceRequest leaves" not in sending.log


async def test_one_that_aiokafka_has_closed_is_reset_as_well(sending: Sending) -> None:
    """It may still have something to send, and so may the system."""
    await sending.send(PRODUCE)
    sending.producer.client._conns.clear()

    sending.producer.fence()

    assert sending.transport.aborted == 1


async def test_a_request_that_waits_at_the_fence_never_leaves(sending: Sending) -> None:
    waiting = await sending.held()

    sending.producer.fence()
    sending.may_send = True

    with pytest.raises(Fenced):
        await asyncio.wait_for(waiting, 5)
    assert "ProduceRequest leaves" not in sending.log


async def test_behind_the_fence_nothing_leaves_though_it_may(sending: Sending) -> None:
    """The next assignment has begun, and so it may; what is queued here is of the one before."""
    sending.producer.fence()

    with pytest.raises(Fenced):
        await sending.send(PRODUCE)
    assert "ProduceRequest leaves" not in sending.log


async def test_a_fence_fails_all_that_is_queued_for_good(sending: Sending) -> None:
    """aiokafka tries again what is retriable."""
    queue = sending.producer._message_accumulator
    queued = [
        await queue.add_message(TopicPartition("outcomes", each), b"i-1", b"value", timeout=1)
        for each in (0, 0, 1)
    ]

    sending.producer.fence()

    assert [type(each.exception()) for each in queued] == [Fenced] * 3
    assert not any(queue._batches.values()), "the sender would take them up again"
    assert not Fenced.retriable


class CutOff:
    """A producer that is connected to a broker over a link, which is cut as its request leaves.
    ``arrived``: what the broker got."""

    def __init__(self, sending: Sending) -> None:
        self.sending = sending
        self.arrived = bytearray()
        self.ended = asyncio.Event()

    @asynccontextmanager
    async def request_under_way(self) -> AsyncIterator[None]:
        """The cable is put back in with the end of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        link = Link(("127.0.0.1", 0), server.sockets[0].getsockname())
        async with server, link.open() as there:
            reader, writer = await asyncio.open_connection(*there)
            self.sending.connect(writer)
            writer.write(HELLO)
            await until(lambda: self.arrived == HELLO)

            async def leaves(*_: Any, group: Any) -> bytes:
                self.sending.log.append("leaves")
                writer.write(REQUEST)
                return await reader.read()

            self.sending.producer._send_request = leaves
            under_way = asyncio.create_task(self.sending.send(PRODUCE))
            try:
                with link.broken(CUT):
                    await until(lambda: "leaves" in self.sending.log)
                    yield
                await until(lambda: self.ended.is_set() or len(self.arrived) == WHOLE)
            finally:
                writer.transport.close()
                await asyncio.wait({under_way})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while some := await reader.read(65_536):
            self.arrived += some
        self.ended.set()
        writer.close()


async def test_a_request_under_way_is_reset_when_it_might_not_have_left(
    sending: Sending,
) -> None:
    """Else it would arrive once the cable is back in, behind what the next owner wrote."""
    cut_off = CutOff(sending)

    async with cut_off.request_under_way():
        sending.may_send = False
        await asyncio.wait_for(cut_off.ended.wait(), 5)

    assert cut_off.arrived == HELLO


async def test_a_fence_resets_what_is_under_way(sending: Sending) -> None:
    cut_off = CutOff(sending)

    async with cut_off.request_under_way():
        sending.producer.fence()
        await asyncio.wait_for(cut_off.ended.wait(), 5)

    assert cut_off.arrived == HELLO


async def test_a_request_under_way_arrives_however_late_while_we_are_the_owner(
    sending: Sending,
) -> None:
    cut_off = CutOff(sending)

    async with cut_off.request_under_way():
        asked = len(sending.log)
        await until(lambda: len(sending.log) > asked + 2)

    assert cut_off.arrived == HELLO + REQUEST


@pytest.mark.parametrize(
    ("key", "written"),
    [(None, None), (b"", b""), (b"i-1", b"i-1"), (bytes(bytearray(b"a key that is null")),) * 2],
)
async def test_only_a_key_that_is_null_is_written_as_null(
    sending: Sending, monkeypatch: pytest.MonkeyPatch, key: bytes | None, written: bytes | None
) -> None:
    async def send(
        _: str, *, key: bytes, value: bytes | None, headers: list[Any], partition: int | None
    ) -> Any:
        return producer._serialize(key, value, headers)

    producer = sending.producer
    monkeypatch.setattr(producer, "send", send)

    sent: Any = await producer.send_record(Message("dead-letters", key=key, value=None))

    assert sent == (written, None)
