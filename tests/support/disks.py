"""The table on real stores, beside a changelog that outlives the worker and perhaps its disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

import faust
from faust.types import TP

from streams.core.records import Remembered, decode_record
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, AcknowledgedRun, Publisher
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.state.stores import InteractionStore, StoredTable
from streams.worker.state.table import InteractionTable, changelog, declare
from tests.support.fetched import Fetched, in_one_run
from tests.support.world import EVENTS, TTL_SECONDS, KafkaWorld

CHANGELOG = TP(changelog("shop"), EVENTS.partition)

R = TypeVar("R", bound=Remembered)

# Records of a run, so that a group of a few has several.
RUN = 2


class KeptChangelog(Publisher):
    """The changelog of the one partition. Its runs are acknowledged one after the other.

    ``name``: what the journal calls the writing of a record.
    """

    def __init__(self, world: KafkaWorld, name: Callable[[bytes], str]) -> None:
        self._world = world
        self._name = name
        self.records: list[Fetched] = []

    async def enqueue_all(
        self, messages: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        runs: list[asyncio.Future[AcknowledgedRun]] = []
        for first in range(0, len(messages), RUN):
            before = runs[-1] if runs else None
            run = messages[first : first + RUN]
            runs.append(asyncio.ensure_future(self._acknowledged(run, before)))
        return runs

    async def _acknowledged(
        self, run: Sequence[Message], before: asyncio.Future[AcknowledgedRun] | None
    ) -> AcknowledgedRun:
        if before is not None:
            await asyncio.wait({before})
        offset = len(self.records)
        await self._world.effects(
            [(self._name(each.value or b""), partial(self._keep, each)) for each in run]
        )
        return AcknowledgedRun(EVENTS.partition, offset, run)

    def _keep(self, message: Message) -> None:
        assert message.partition == EVENTS.partition
        self.records.append(Fetched(len(self.records), message.value, message.key))

    async def enqueue(self, message: Message) -> asyncio.Future[Acknowledged]:
        raise AssertionError("the table writes its records together")

    async def publish(self, message: Message) -> Acknowledged:
        raise AssertionError("the table writes its records together")


class Disk(Generic[R]):
    """A worker's stores, restored from the changelog as far as they lag behind it."""

    def __init__(
        self,
        datadir: Path,
        kept: KeptChangelog,
        world: KafkaWorld,
        decode: Callable[[bytes], R],
    ) -> None:
        app = faust.App(
            "shop",
            broker="kafka://127.0.0.1:1",
            store="rocksdb://",
            datadir=str(datadir),
            autodiscover=False,
            Table=StoredTable,
        )
        declared = declare(app, EVENTS.partition + 1)
        self.table = InteractionTable(
            declared, kept, world.clock, decode=decode, ttl_seconds=TTL_SECONDS
        )
        store = declared.data
        assert isinstance(store, InteractionStore)
        self.store = store
        store.path.mkdir(parents=True, exist_ok=True)
        whole = OffsetRange(0, len(kept.records))
        applied = store.begin_restoration({CHANGELOG: whole})[CHANGELOG]
        if lacked := kept.records[applied + 1 :]:
            store.apply_changelog_batch([_event(lacked)], bytes, bytes)

    def has(self, kept: KeptChangelog) -> bool:
        """Whether it has the last value of each key, and says so."""
        last = {each.key or b"": each.value for each in kept.records}
        with self.store.using(EVENTS.partition) as store:
            values = {key: store.get(key) for key in last}
        return values == last and self.store.persisted_offset(CHANGELOG) == len(kept.records) - 1

    def close(self) -> None:
        for db in self.store._dbs.values():
            db.close()
        self.store._dbs.clear()


def of_an_interaction(value: bytes) -> str:
    """The name of the writing of an interaction's record."""
    return "verdict" if decode_record(value).intent is None else "intent"


def _event(records: Sequence[Fetched]) -> Any:
    message = in_one_run(CHANGELOG, *records)
    return SimpleNamespace(message=message, value=message.value)
