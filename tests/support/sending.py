"""A fenceable producer without a broker: what it asks, and what leaves."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.protocol.produce import ProduceRequest

from streams.kafka.fence import FenceableProducer
from tests.support.scripted import until

PRODUCE = ProduceRequest(transactional_id=None, required_acks=-1, timeout=1000, topics=[])


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
        self.at(Connection(writer))

    def at(self, connection: Any) -> None:
        """Use this connection."""
        self.producer.client._conns[(3, ConnectionGroup.DEFAULT)] = connection

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
