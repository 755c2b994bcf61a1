"""The stores of the table on disk: which are kept, thrown away or refused when disk and changelog
disagree.

The changelog is the truth, and a store never holds anything that the changelog lacks. So a store
that is damaged, or that ends before the changelog begins, is thrown away and restored. Only when
the changelog itself has lost records does the worker stop and ask.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

import faust
import rocksdict
from faust.stores.rocksdb import Store
from faust.types import TP
from faust.types.stores import StoreT

from streams.errors import StoreError
from streams.telemetry.logging import FAUST_LOG
from streams.worker.partitions.offset_range import OffsetRange

log = logging.getLogger(__name__)

# How RocksDB's messages about damaged or missing files begin (test_private_parts.py). Other errors
# (no space, no right, no descriptors) would not be mended by restoring the store.
_DAMAGE = ("Corruption", "IO error: No such file or directory")

# How RocksDB's messages about a lock that somebody has begin: this process, or another one. Faust
# tries again then, for it has just released the store itself. The word "lock" alone would not do:
# it is in "Corruption: block checksum mismatch", and may be in the path that a message names.
_LOCKED = ("IO error: lock hold by current process", "IO error: While lock file")


class InUse:
    """A store while it is used, as a context manager: an error of the disk is a StoreError. No
    generator, which would cost each record as much as the store itself takes to find it."""

    __slots__ = ("_partition", "_stores")

    def __init__(self, stores: InteractionStore, partition: int) -> None:
        self._stores = stores
        self._partition = partition

    def __enter__(self) -> rocksdict.Rdict:
        try:
            return self._stores.opened(self._partition)
        except Exception as error:  # rocksdict has no finer one
            self._reject(error)
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc, Exception):
            self._reject(exc)

    def _reject(self, error: Exception) -> None:
        if not isinstance(error, StoreError):
            raise self._stores.broken(self._partition, error) from error


class InteractionStore(Store):
    """Faust's RocksDB stores, one for each partition; each can be discarded and rebuilt from the
    changelog."""

    logger = FAUST_LOG

    failure: StoreError | None = None
    """Why the worker can not go on, or None. It is kept because Faust only logs an error in a
    recovery (test_faust_consumer.py)."""

    def using(self, partition: int) -> InUse:
        """The store of a partition, as a context manager. Raises StoreError when the disk fails
        while the store is in use, and on every later use: a value that the store has missed must
        not pass for one that does not exist.

        A damaged store is thrown away, and the next start restores it. This run can not go back to
        the position from which it was restored.
        """
        return InUse(self, partition)

    def opened(self, partition: int) -> rocksdict.Rdict:
        """For InUse. Raises whatever the disk does."""
        if self.failure is not None:
            raise self.failure.with_traceback(None)
        store: rocksdict.Rdict = self._db_for_partition(partition)
        return store

    def broken(self, partition: int, error: Exception) -> StoreError:
        """For InUse: what an error of the disk is to everybody else."""
        if _damaged(error):
            self._throw_away(partition, error)
        return self._failed(partition, error)

    def begin_restoration(self, kept: Mapping[TP, OffsetRange]) -> dict[TP, int]:
        """The offset up to which each partition's changelog is applied or gone; reading begins at
        the next one. It is -1 when all of it is to be read. ``kept``: what the broker has of it.

        Raises StoreError when a changelog ends before an offset that its store has applied.
        """
        applied = {tp: self._applied(tp, each.begin) for tp, each in kept.items()}
        ahead = {tp: offset for tp, offset in applied.items() if offset >= kept[tp].end}
        if ahead:
            self.failure = self._ahead(ahead, kept)
            raise self.failure
        return applied

    def unrestored(self, ends: Mapping[TP, int]) -> dict[TP, int]:
        """Which of these changelogs, each with its end, are not applied to there; and the offset up
        to which each is, -1 for none. Raises StoreError."""
        applied = {}
        for tp in ends:
            with self.using(tp.partition):
                offset = self.persisted_offset(tp)
            applied[tp] = -1 if offset is None else offset
        return {tp: offset for tp, offset in applied.items() if offset + 1 < ends[tp]}

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        """Called by Faust in a recovery, which goes on whatever this raises. So a disk error is
        kept as ``failure``, and every later use raises it."""
        for event in batch:
            partition, run = event.message.partition, event.value
            with suppress(StoreError), self.using(partition) as store:
                # One batch: the store gets the run and its offset, or neither.
                written = rocksdict.WriteBatch(raw_mode=True)
                for record in run:
                    if record.key is None:
                        continue  # of another producer: our records are keyed
                    if record.value is None:
                        written.delete(record.key)
                    else:
                        written.put(record.key, record.value)
                written.put(self.offset_key, str(run[-1].offset).encode())
                store.write(written)

    def _open_for_partition(self, partition: int) -> rocksdict.Rdict:
        try:
            db: rocksdict.Rdict = super()._open_for_partition(partition)
        except Exception as error:  # rocksdict has no finer one
            if str(error).startswith(_LOCKED):
                # This process had the lock a moment ago: Faust tries again (test_stores.py).
                raise
            if not _damaged(error):
                raise self._failed(partition, error) from error
            self._throw_away(partition, error)
            db = self._open_anew(partition)
        return db

    def _open_anew(self, partition: int) -> rocksdict.Rdict:
        """Open a store that was thrown away. Raises StoreError."""
        try:
            db: rocksdict.Rdict = super()._open_for_partition(partition)
        except Exception as error:  # rocksdict has no finer one
            raise self._failed(partition, error) from error
        return db

    def _failed(self, partition: int, error: Exception) -> StoreError:
        self.failure = StoreError(
            f"DATA_DIR: cannot use {self.partition_path(partition)}: {error}; free space, mend the "
            "disk or take another directory, and start the worker again: nothing is lost, the "
            "changelog has it all"
        )
        return self.failure

    def _throw_away(self, partition: int, why: object) -> None:
        log.warning(
            "a store is thrown away, to be read again from the changelog",
            extra={"partition": partition, "why": str(why)},
        )
        db = self._dbs.pop(partition, None)
        if db is not None:
            db.close()
        # A file that can not be removed fails again, and is reported, when the store is opened.
        shutil.rmtree(self.partition_path(partition), ignore_errors=True)

    def _applied(self, tp: TP, beginning: int) -> int:
        with self.using(tp.partition):
            applied = self.persisted_offset(tp)
            if applied is not None and applied + 1 < beginning:
                # The store may hold values that the changelog has forgotten or replaced since.
                self._throw_away(tp.partition, f"the changelog begins at {beginning} by now")
                applied = None
            if applied is None and beginning:
                applied = beginning - 1
                self.set_persisted_offset(tp, applied)
            return -1 if applied is None else applied

    def _ahead(self, ahead: Mapping[TP, int], kept: Mapping[TP, OffsetRange]) -> StoreError:
        places = ", ".join(
            f"{tp.topic}/{tp.partition} ends at offset {kept[tp].end} and has been applied up to "
            f"{applied}"
            for tp, applied in sorted(ahead.items())
        )
        paths = " ".join(str(self.partition_path(tp.partition)) for tp in sorted(ahead))
        return StoreError(
            f"the changelog has lost what Kafka had acknowledged, or is another one: {places}; "
            "restore the topic if you can: these stores may be all that is left of it; to go on "
            f"with what the topic has, and have some events decided again: rm -r {paths}"
        )


class StoredTable(faust.Table[bytes, bytes]):
    """A Faust table on InteractionStores."""

    logger = FAUST_LOG

    @property
    def stores(self) -> InteractionStore:
        stores = self.data
        assert isinstance(stores, InteractionStore)
        return stores

    def begin_restoration(self, kept: Mapping[TP, OffsetRange]) -> Mapping[TP, int]:
        """See InteractionStore."""
        return self.stores.begin_restoration(kept)

    def unrestored(self, ends: Mapping[TP, int]) -> Mapping[TP, int]:
        """See InteractionStore."""
        return self.stores.unrestored(ends)

    def _new_store(self) -> StoreT[bytes, bytes]:
        return InteractionStore(
            self.app.conf.store,
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            value_type=self.value_type,
            loop=self.loop,
            options=self.options,
        )


def _damaged(error: Exception) -> bool:
    return str(error).startswith(_DAMAGE)
