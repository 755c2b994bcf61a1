"""The interactions table on Faust's real RocksDB store; the test acknowledges the changelog."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import faust
from faust.stores.rocksdb import Store
from faust.types import TP

from streams.core.records import (
    Deferred,
    Intent,
    InteractionRecord,
    decode_record,
    encode_record,
)
from streams.errors import PublishError
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, AcknowledgedRun, Publisher
from streams.worker.partitions.assignment import Assignment
from streams.worker.state.stores import StoredTable
from streams.worker.state.table import InteractionTable, declare
from tests.support.scripted import LeapingClock

TTL_SECONDS = 1000.0
PARTITION = 1


@dataclass
class Queued:
    """Changelog records on their way: one run of one partition."""

    messages: Sequence[Message]
    acknowledged: asyncio.Future[AcknowledgedRun]

    @property
    def partition(self) -> int:
        partition = self.messages[0].partition
        assert partition is not None, "the changelog's partition is that of the source"
        return partition


class Changelog(Publisher):
    """Publisher whose acknowledgements come when the test says so, or at once."""

    def __init__(self) -> None:
        self.queued: list[Queued] = []
        self.at_once = True
        self.foreign = 0
        """Records that somebody else has written before the next one."""
        self.longest = 100
        """Records in a run."""

    async def enqueue_all(
        self, messages: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        partitions = sorted({message.partition or 0 for message in messages})
        queued = []
        for partition in partitions:
            of_it = [message for message in messages if message.partition == partition]
            for first in range(0, len(of_it), self.longest):
                future = asyncio.get_running_loop().create_future()
                queued.append(Queued(of_it[first : first + self.longest], future))
        self.queued += queued
        if self.at_once:
            for number in range(len(self.queued)):
                self.acknowledge(number)
        return [each.acknowledged for each in queued]

    async def enqueue(self, message: Message) -> asyncio.Future[Acknowledged]:
        raise AssertionError("the table writes its records together")

    async def publish(self, message: Message) -> Acknowledged:
        raise AssertionError("the table writes its records together")

    def acknowledge(self, number: int) -> None:
        """Offsets are the order of queueing, in each partition."""
        queued = self.queued[number]
        if not queued.acknowledged.done():
            partition = queued.partition
            before = sum(
                len(each.messages) for each in self.queued[:number] if each.partition == partition
            )
            queued.acknowledged.set_result(
                AcknowledgedRun(partition, before + self.foreign, queued.messages)
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
        self.table = InteractionTable(
            declared,
            self.changelog,
            self.clock,
            decode=decode_record,
            ttl_seconds=TTL_SECONDS,
        )
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
        """One after the other."""
        for record in records:
            await self.put_all(record)

    async def put_all(self, *records: InteractionRecord) -> None:
        """Together."""
        encoded = {(PARTITION, each.interaction_id): encode_record(each) for each in records}
        await self.table.put_all(self.assignment, encoded)

    def get(self, name: str) -> InteractionRecord | None:
        return self.table.get(PARTITION, name)

    @property
    def persisted(self) -> int | None:
        return self.store.persisted_offset(TP(self.table.changelog, PARTITION))
