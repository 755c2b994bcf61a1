"""The interactions table: a Faust table on RocksDB, written through an acknowledged changelog.

Faust assigns, restores and closes the stores. Writing is ours: a value reaches the local store
once its changelog record is acknowledged, together with that record's offset and in its order, so
the store never holds what the changelog lacks and never claims an offset whose value it has not
got.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

import faust
import msgspec
import rocksdict
from faust.stores.rocksdb import Store
from faust.types import TP

from streams.clock import Clock
from streams.core.records import Remembered
from streams.core.state_version import STATE_VERSION, newer_version
from streams.errors import NewerRelease, StoreError
from streams.kafka.message import Message
from streams.kafka.publisher import AcknowledgedRun, Publisher
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.runs import RunSchema
from streams.worker.state.stores import InteractionStore, StoredTable
from streams.worker.state.unreadable import UnreadableValues

TABLE_NAME = "interactions"

# Faust's defaults are a 2 GiB block cache and three 64 MiB write buffers for each partition's store
# (test_faust_app.py); with a dozen partitions a worker would grow until it is killed. Blocks that
# are not in this cache may still be in the operating system's.
BLOCK_CACHE_BYTES = 1 << 20
WRITE_BUFFER_BYTES = 2 << 20
WRITE_BUFFERS = 2
# Per store: keeps a worker with many partitions below the usual limit of 1,024 descriptors.
MAX_OPEN_FILES = 64

# Runs of changelog records that Faust collects before it has them applied: one run is a batch of
# its own already. Faust treats 1 in another way: it reads on while it applies.
RECOVERY_RUNS = 2

# How many keys are looked at before other work gets its turn.
SCAN_CHUNK = 500


def changelog(app_id: str) -> str:
    """The topic that Faust keeps the table in."""
    return f"{app_id}-{TABLE_NAME}-changelog"


def declare(app: faust.App, partitions: int) -> StoredTable:
    """The table as Faust knows it. Values are bytes, encoded here. Its changelog topic exists
    already."""
    table = app.Table(
        TABLE_NAME,
        key_type=bytes,
        value_type=bytes,
        partitions=partitions,
        schema=RunSchema(key_type=bytes, value_type=bytes),
        recovery_buffer_size=RECOVERY_RUNS,
        # A fresh dict: Faust's store takes entries out of the one it is given (test_faust_app.py).
        options={
            "block_cache_size": BLOCK_CACHE_BYTES,
            "write_buffer_size": WRITE_BUFFER_BYTES,
            "max_write_buffer_number": WRITE_BUFFERS,
            "max_open_files": MAX_OPEN_FILES,
        },
    )
    assert isinstance(table, StoredTable), "the app makes other tables than StoredTables"
    return table


Pairs = Sequence[tuple[bytes, bytes]]

R = TypeVar("R", bound=Remembered)


class InteractionTable(Generic[R]):
    """Records of the interactions, or conversations, whose partitions this worker owns. ``decode``
    makes a record of what is stored."""

    def __init__(
        self,
        table: StoredTable,
        publisher: Publisher,
        clock: Clock,
        *,
        decode: Callable[[bytes], R],
        ttl_seconds: float,
    ) -> None:
        self._table = table
        self._decode = decode
        self._publisher = publisher
        self._clock = clock
        self._ttl_ms = ttl_seconds * 1000
        self._sizes: dict[int, int] = {}

    @property
    def changelog(self) -> str:
        return str(self._table.changelog_topic.get_topic_name())

    @property
    def size(self) -> int:
        """Interactions remembered: those of the last sweep, and those added since."""
        return sum(self._sizes.values())

    @property
    def failure(self) -> StoreError | None:
        """Why nothing more can be done with the stores, or None."""
        return self._stores.failure

    def get(self, partition: int, interaction_id: str) -> R | None:
        """The record, or None. The caller must own the partition, or Faust would open its store.
        Raises StoreError, and NewerRelease."""
        with self._stores.using(partition) as store:
            value = store.get(interaction_id.encode())
        return None if value is None else self._read(value)

    def expired(self, record: R) -> bool:
        """Whether the record is past its TTL. It never is while a source record is put off, for
        that one comes back, or while an intent has no verdict, for forgetting the intent could
        repeat a PATCH."""
        age_ms = self._clock.time() * 1000 - record.updated_at
        return not record.pending and age_ms > self._ttl_ms

    async def put_all(
        self, assignment: Assignment, records: Mapping[tuple[int, str], bytes]
    ) -> None:
        """Write the encoded records, each named by its partition and its interaction's id, and wait
        until the changelog has them all. Raises OwnershipLost, PublishError, StoreError."""
        await assignment.owned()
        messages = [
            Message(
                self.changelog,
                key=interaction_id.encode(),
                value=record,
                headers=assignment.headers,
                partition=partition,
            )
            for (partition, interaction_id), record in records.items()
        ]
        runs = await self._publisher.enqueue_all(messages)
        # Each run is applied by a task of its own, so that those of one partition are applied in
        # the order in which they are acknowledged, and whatever becomes of the others. Shielded:
        # the values must reach the store even if the group is abandoned here. A later write would
        # move the store's offset past a value that it lacks.
        applying = [asyncio.create_task(self._apply_run(assignment, run)) for run in runs]
        await asyncio.shield(asyncio.gather(*applying))

    async def sweep(self, assignment: Assignment, partition: int) -> int:
        """Forget the interactions past their TTL. Returns how many. Raises OwnershipLost, and
        NewerRelease.

        They are forgotten in the store alone: the changelog topic forgets by its own retention,
        which is the TTL too. Nothing is awaited between looking at a record and deleting it, so a
        write that is under way comes afterwards and stays. A value that can not be decoded is kept:
        to raise would end the worker at each start, for the fault of one record.
        """
        kept = forgotten = 0
        unreadable = UnreadableValues()
        start: bytes | None = None
        while True:
            assignment.check()
            chunk = list(self._scan(partition, start))
            if not chunk:
                break
            for key, value in chunk:
                record = self._read_or_note(key, value, unreadable)
                if record is not None and self.expired(record):
                    with self._stores.using(partition) as store:
                        store.delete(key)
                    forgotten += 1
                else:
                    kept += 1
            start = chunk[-1][0] + b"\0"
            await asyncio.sleep(0)
        self._sizes[partition] = kept
        unreadable.report(self.changelog, partition)
        return forgotten

    def disown(self) -> None:
        """The partitions were revoked: their sizes are no longer ours to report."""
        self._sizes.clear()

    def _read(self, value: bytes) -> R:
        try:
            return self._decode(value)
        except msgspec.ValidationError as error:
            version = newer_version(value)
            if version is None:
                raise
            raise NewerRelease(
                f"{self.changelog}: the table has records of version {version}, and this release "
                f"knows {STATE_VERSION}: a newer release of this program has written them; what "
                "they are about is left alone: start the newer release again"
            ) from error

    def _read_or_note(self, key: bytes, value: bytes, unreadable: UnreadableValues) -> R | None:
        """The record, or None when the value is none; then it is noted. Raises NewerRelease."""
        try:
            return self._read(value)
        except (NewerRelease, MemoryError):
            raise
        except Exception as fault:  # noqa: BLE001 - whatever the decoder raises, it is the value's
            unreadable.met(key, fault)
            return None

    async def _apply_run(
        self, assignment: Assignment, acknowledged: asyncio.Future[AcknowledgedRun]
    ) -> None:
        run = await acknowledged
        values = [(each.key or b"", each.value or b"") for each in run.messages]
        self._write(assignment, run.partition, run.offset, values)

    def _write(self, assignment: Assignment, partition: int, offset: int, values: Pairs) -> None:
        """Write keys and values whose changelog records lie at ``offset`` and behind it."""
        # An acknowledgement that came after the partition was given up: its owner has read the
        # values from the changelog, or will process their source records again.
        if assignment.revoked:
            return
        place = TP(self.changelog, partition)
        with self._stores.using(partition) as store:
            # One batch: the store gets all of it or nothing, wherever the process dies.
            written = rocksdict.WriteBatch(raw_mode=True)
            new = 0
            for key, value in values:
                new += key not in store
                written.put(key, value)
            self._sizes[partition] = self._sizes.get(partition, 0) + new
            persisted = self._stores.persisted_offset(place)
            # A jump means that another worker wrote in between: we were frozen, or it was. What it
            # wrote is not in this store, so the next restore has to begin before it.
            if offset == (0 if persisted is None else persisted + 1):
                last = offset + len(values) - 1
                written.put(Store.offset_key, str(last).encode())
            store.write(written)

    def _scan(self, partition: int, start: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        # A short-lived iterator for each chunk: one held across awaits would keep the store's lock
        # after its partition has gone to another worker on this machine.
        found = 0
        with self._stores.using(partition) as store:
            for key, value in store.items(from_key=start):
                if key == Store.offset_key:
                    continue
                yield bytes(key), value  # type: ignore[arg-type]  # raw mode: bytes only
                found += 1
                if found == SCAN_CHUNK:
                    return

    @property
    def _stores(self) -> InteractionStore:
        return self._table.stores
