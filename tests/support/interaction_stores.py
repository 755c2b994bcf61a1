"""The interactions table on Faust's real RocksDB store; the test acknowledges the changelog."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import faust
from faust.stores.rocksdb import Store
from faust.types import TP

from streams.core.records import Deferred, Intent, InteractionRecord
from streams.errors import PublishError
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged
from streams.worker.partitions.assignment import Assignment
from streams.worker.state.stores import StoredTable
from streams.worker.state.table import InteractionTable, declare
from tests.support.scripted import LeapingClock

TTL_SECONDS = 1000.0
PARTITION = 1


@dataclass
class Queued:
    """A changelog record on its way."""

    message: Message
    acknowledged: asyncio.Future[Acknowledged]


class Changelog:
    """Publisher whose acknowledgements come when the test says so, or at once."""

    def __init__(self) -> None:
        self.queued: list[Queued] = []
        self.at_once = True
        self.foreign = 0
        """Records that somebody else has written before the next one."""

    async def enqueue(self, message: Message) -> asyncio.Future[Acknowledged]:
        future: asyncio.Future[Acknowledged] = asyncio.get_running_loop().create_future()
        self.queued.append(Queued(message, future))
        if self.at_once:
            self.acknowledge(len(self.queued) - 1)
        return future

    async def publish(self, message: Message) -> Acknowledged:
        return await (await self.enqueue(message))

    def acknowledge(self, number: int) -> None:
        """Offsets are the order of queueing."""
        queued = self.queued[number]
        if not queued.acknowledged.done():
            message = queued.message
            partition = message.partition if message.partition is not None else -1
            queued.acknowledged.set_result(
                Acknowledged(message.topic, partition, number + self.foreign)
            )

    def refuse(self, number: int) -> None:
        self.queued[number].acknowledged.set_exception(PublishError("no in-sync replicas"))


class Shop:
    """A table, its store and its changelog."""

    def __init__(self, datadir: Path) -> None:
        self.app = faust.App(
            "shop",
            broker="kafka://127.0.0.1:1",
            store="rocksdb://",
            datadir=str(datadir),
            autodiscover=False,
            Table=StoredTable,
        )
        declared = declare(self.app, 4)
        self.changelog = Changelog()
        self.clock = LeapingClock()
        self.table = InteractionTable(declared, self.changelog, self.clock, ttl_seconds=TTL_SECONDS)
        store = declared.data
        assert isinstance(store, Store)
        self.store = store
        self.assignment = Assignment(1, {})

    def record(
        self,
        name: str,
        *,
        age: float = 0,
        intent: Intent | None = None,
        deferred: tuple[Deferred, ...] = (),
        last_offset: int | None = None,
    ) -> InteractionRecord:
        return InteractionRecord(
            name,
            updated_at=round((self.clock.time() - age) * 1000),
            intent=intent,
            deferred=deferred,
            last_offset=last_offset,
        )

    async def put(self, *records: InteractionRecord) -> None:
        for record in records:
            await self.table.put(self.assignment, PARTITION, record)

    def get(self, name: str) -> InteractionRecord | None:
        return self.table.get(PARTITION, name)

    @property
    def persisted(self) -> int | None:
        return self.store.persisted_offset(TP(self.table.changelog, PARTITION))
