"""A producer that asks before each produce request, and that can be fenced."""

from __future__ import annotations

import asyncio
import socket
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NodeNotReadyError
from aiokafka.protocol.metadata import MetadataRequest

from streams.kafka.fence import Fenced
from streams.kafka.message import Message
from tests.support.sending import PRODUCE, Sending, Transport

METADATA = MetadataRequest([])


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
