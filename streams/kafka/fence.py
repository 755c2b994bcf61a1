"""A producer that can be fenced: what it has queued does not go out any more (promise 8).

aiokafka sends what is queued whenever it can: after a worker was frozen, or had a lane abandoned,
that may be long after its partitions have gone to another. So each produce request asks for leave
in the moment it goes out, with nothing awaited between the answer and the bytes in the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiokafka
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaError
from aiokafka.protocol.produce import ProduceRequest

from streams.kafka.bootstrap import return_to_bootstrap
from streams.kafka.message import Message

# How soon a request that waits for leave goes on once it has it.
LEAVE_POLL_SECONDS = 0.05


class Fenced(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """The producer was fenced before the record went out. Not retriable for aiokafka."""


class FenceableProducer(aiokafka.AIOKafkaProducer):  # type: ignore[misc]  # the same
    """``may_send``: whether a request may go out now; it waits for as long as not."""

    def __init__(self, *, may_send: Callable[[], bool], **options: Any) -> None:
        super().__init__(**options)
        self.fenced = False
        self._may_send = may_send
        client: Any = self.client
        return_to_bootstrap(client)
        self._send_request = client.send
        client.send = self._send_with_leave

    def fence(self) -> None:
        """Fail what is queued; no request leaves from now on. Good for nothing but ``stop``."""
        self.fenced = True
        self._message_accumulator.fail_all(Fenced())

    async def send_record(self, message: Message) -> asyncio.Future[Any]:
        """As aiokafka's ``send``, but it takes a record without key and value as well: other
        producers can write one, and its dead letter has to be the same (promise 7)."""
        sent: asyncio.Future[Any]
        topic, headers, partition = message.topic, list(message.headers), message.partition
        if message.key is None and message.value is None:
            batch = self.create_batch()
            batch.append(timestamp=None, key=None, value=None, headers=headers)
            batch.close()
            sent = await self.send_batch(batch, topic, partition=partition)
        else:
            sent = await self.send(
                topic, key=message.key, value=message.value, headers=headers, partition=partition
            )
        return sent

    async def _send_with_leave(
        self, node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT
    ) -> Any:
        if isinstance(request, ProduceRequest):
            # Connected first: the leave must not age while a connection is made.
            await self.client.ready(node_id, group=group)
            while not self.fenced and not self._may_send():  # noqa: ASYNC110
                # What is asked is answered in another thread: there is no event to wait for.
                await asyncio.sleep(LEAVE_POLL_SECONDS)
            if self.fenced:
                raise Fenced
        return await self._send_request(node_id, request, group=group)
