"""The interactions table: a Faust table on RocksDB, written through an acknowledged changelog.

Faust assigns, restores and closes the stores. Writing is ours: a value reaches the local store in
the callback of its changelog acknowledgement, together with the changelog offset, so the store
never holds what the changelog lacks and never claims an offset whose value it has not got.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import faust
import rocksdict
from faust.stores.rocksdb import Store
from faust.types import TP
from faust.types.tables import TableT

from streams.clock import Clock
from streams.kafka.publisher import Acknowledged, Publisher
from streams.records import InteractionRecord, decode_record, encode_record
from streams.worker.tenure import Tenure

TABLE_NAME = "interactions"

# Faust's defaults are a 2 GiB block cache and three 64 MiB write buffers for each partition's
# store; with a dozen partitions a worker would grow until it is killed.
BLOCK_CACHE_BYTES = 4 << 20
WRITE_BUFFER_BYTES = 2 << 20
WRITE_BUFFERS = 2
# Per store: keeps a worker with many partitions below the usual limit of 1,024 descriptors.
MAX_OPEN_FILES = 64

# Written last by a sweep. A changelog that ends in tombstones which compaction has removed leaves
# the end offset out of reach, and Faust's recovery waits for it for ever (its issue 176). No
# interaction id may hold a NUL.
SWEEP_MARK = b"\0swept"

# How many keys are looked at before other work gets its turn.
SCAN_CHUNK = 500


def declare(app: faust.App, ttl_seconds: float, partitions: int) -> TableT[bytes, bytes]:
    """The table as Faust knows it; values are bytes, encoded here."""
    return app.Table(
        TABLE_NAME,
        key_type=bytes,
        value_type=bytes,
        partitions=partitions,
        # A fresh dict: Faust's store takes entries out of the one it is given.
        options={
            "block_cache_size": BLOCK_CACHE_BYTES,
            "write_buffer_size": WRITE_BUFFER_BYTES,
            "max_write_buffer_number": WRITE_BUFFERS,
            "max_open_files": MAX_OPEN_FILES,
        },
        extra_topic_configs={
            "cleanup.policy": "compact,delete",
            # Twice the TTL: the sweeper forgets first, the broker is the net below it.
            "retention.ms": str(int(ttl_seconds * 2000)),
        },
    )


class InteractionTable:
    """Records of the interactions whose partitions this worker owns."""

    def __init__(
        self, table: TableT[bytes, bytes], publisher: Publisher, clock: Clock, *, ttl_seconds: float
    ) -> None:
        self._table = table
        self._publisher = publisher
        self._clock = clock
        self._ttl_ms = ttl_seconds * 1000
        self._sizes: dict[int, int] = {}

    @property
    def changelog(self) -> str:
        return str(self._table.changelog_topic.get_topic_name())

    @property
    def size(self) -> int:
        """Interactions remembered, as of the last sweep plus what came since."""
        return sum(self._sizes.values())

    def get(self, partition: int, interaction_id: str) -> InteractionRecord | None:
        """The record, or None. The caller owns the partition, or Faust would open its store."""
        value = self._store(partition).get(interaction_id.encode())
        return None if value is None else decode_record(value)

    def expired(self, record: InteractionRecord) -> bool:
        """Past its TTL. An open intent keeps a record: forgetting it could repeat a PATCH."""
        age_ms = self._clock.time() * 1000 - record.updated_at
        return record.intent is None and age_ms > self._ttl_ms

    async def put(self, tenure: Tenure, partition: int, record: InteractionRecord) -> None:
        """Write, and wait until the changelog has it. Raises OwnershipLost, PublishError."""
        await tenure.owned()
        await (await self._write(tenure, partition, record.interaction_id, encode_record(record)))

    async def sweep(self, tenure: Tenure, partition: int) -> int:
        """Forget what is past its TTL, here and in the changelog; returns how many.

        Raises OwnershipLost, PublishError.
        """
        kept = 0
        pending: list[asyncio.Future[Acknowledged]] = []
        start: bytes | None = None
        while True:
            tenure.check()
            chunk = list(self._scan(partition, start))
            if not chunk:
                break
            for key, value in chunk:
                if key == SWEEP_MARK:
                    continue
                record = decode_record(value)
                if self.expired(record):
                    pending.append(
                        await self._write(tenure, partition, record.interaction_id, None)
                    )
                else:
                    kept += 1
            start = chunk[-1][0] + b"\0"
            await asyncio.gather(*pending)
            await asyncio.sleep(0)
        forgotten = len(pending)
        if forgotten:
            mark = str(self._clock.time()).encode()
            await (await self._publish(tenure, partition, SWEEP_MARK, mark))
        self._sizes[partition] = kept
        return forgotten

    def disown(self) -> None:
        """The partitions were revoked: their sizes are no longer ours to tell."""
        self._sizes.clear()

    async def _write(
        self, tenure: Tenure, partition: int, interaction_id: str, value: bytes | None
    ) -> asyncio.Future[Acknowledged]:
        key = interaction_id.encode()
        if value is not None and key not in self._store(partition):
            self._sizes[partition] = self._sizes.get(partition, 0) + 1
        return await self._publish(tenure, partition, key, value)

    async def _publish(
        self, tenure: Tenure, partition: int, key: bytes, value: bytes | None
    ) -> asyncio.Future[Acknowledged]:
        acknowledged = await self._publisher.enqueue(
            self.changelog, key=key, value=value, partition=partition
        )
        acknowledged.add_done_callback(partial(self._applied, tenure, key, value))
        return acknowledged

    def _applied(
        self,
        tenure: Tenure,
        key: bytes,
        value: bytes | None,
        done: asyncio.Future[Acknowledged],
    ) -> None:
        # A late acknowledgement of a partition given up meanwhile: whoever owns it now has read
        # the value from the changelog, or will process its source record again.
        if done.cancelled() or done.exception() is not None or tenure.revoked:
            return
        at = done.result()
        store = self._store(at.partition)
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)
        self._stores().set_persisted_offset(TP(at.topic, at.partition), at.offset)

    def _scan(self, partition: int, start: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        # A short-lived iterator for each chunk: one held across awaits would keep the store's lock
        # after its partition has gone to another worker on this machine.
        found = 0
        for key, value in self._store(partition).items(from_key=start):
            if key == Store.offset_key:
                continue
            yield bytes(key), value  # type: ignore[arg-type]  # raw mode: bytes only
            found += 1
            if found == SCAN_CHUNK:
                return

    def _store(self, partition: int) -> rocksdict.Rdict:
        db: rocksdict.Rdict = self._stores()._db_for_partition(partition)
        return db

    def _stores(self) -> Store:
        stores = self._table.data
        assert isinstance(stores, Store)
        return stores
