"""The index on disk. It has nothing that Kafka has not: what is damaged, or of another cluster,
topic or version, is thrown away and built again."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rocksdict import DBCompressionType, Options, Rdict, WriteBatch

from streams.console.index.counts import (
    HOUR_MS,
    MINUTE_MS,
    Bucket,
    decode_bucket,
    encode_bucket,
)
from streams.console.index.entries import Entries, entries
from streams.console.index.keys import (
    HOUR,
    MINUTE,
    ORIGIN,
    POSITION,
    Place,
    Topic,
    after,
    bucket_key,
    log_prefix,
    place_of,
    position_key,
    record_key,
)
from streams.console.index.raw import RawRecord, unpack
from streams.errors import ConsoleError, IndexDamaged
from streams.kafka.settings import TopicNames
from streams.timestamps import epoch_ms

log = logging.getLogger(__name__)

# Of the layout of keys and values: an index of another version is built again.
VERSION = 1

# How RocksDB's messages about damaged or missing files begin (test_private_parts.py).
_DAMAGE = ("Corruption", "IO error: No such file or directory")

# Records whose keys are taken away in one batch.
_AT_ONCE = 1_000


class Origin(msgspec.Struct, frozen=True):
    """What the index is of. ``cluster`` and ``topics``: their ids, empty where the broker does not
    say them; an embedded broker, which forgets all at its end, is known by its address."""

    cluster: str
    topics: dict[str, str]
    version: int = VERSION


class Index:
    """One index, opened. It is written by one task alone."""

    def __init__(self, path: Path, names: TopicNames, origin: Origin) -> None:
        """Opens it, or begins a new one where there is none that fits. Raises ConsoleError."""
        self._path, self._origin = path, origin
        self._names = {
            Topic.EVENTS: names.events,
            Topic.OUTCOMES: names.outcomes,
            Topic.RETRIES: names.retries,
            Topic.LETTERS: names.dead_letters,
        }
        self.version = 0
        """Grows with each change."""
        self._rocks = self._opened()

    def name_of(self, topic: Topic) -> str:
        return self._names[topic]

    def close(self) -> None:
        self._rocks.close()

    def clear(self) -> None:
        """Throw everything away, and begin anew. Raises ConsoleError."""
        self._rocks.close()
        self._rocks = self._begun()
        self.version += 1

    def positions(self) -> Mapping[tuple[Topic, int], int]:
        """The offset to read each partition on from."""
        return {
            (Topic(key[1:2].decode()), int.from_bytes(key[2:], "big")): int.from_bytes(value, "big")
            for key, value in self.scan(POSITION)
        }

    def apply(
        self, records: Iterable[RawRecord], topic: Topic, partition: int, position: int
    ) -> None:
        """Add records of one partition, in their order, and read on from ``position``: all of it,
        or, when the process ends in the middle, nothing. Raises IndexDamaged, ConsoleError."""
        batch = WriteBatch(raw_mode=True)
        buckets: dict[bytes, Bucket] = {}
        for record in records:
            place = Place(topic, partition, record.offset)
            made = entries(place, record, self._names[Topic.EVENTS])
            for key, value in made.kept:
                batch.put(key, value)
            if made.outcome is not None:
                self._note(batch, buckets, place, made)
        for key, bucket in buckets.items():
            batch.put(key, encode_bucket(bucket))
        batch.put(position_key(topic, partition), position.to_bytes(8, "big"))
        with self._using():
            self._rocks.write(batch)
        self.version += 1

    def forget(self, topic: Topic, partition: int, before: int) -> int:
        """Take away what Kafka has deleted: all records of the partition before this offset.
        Returns how many there were. Raises IndexDamaged, ConsoleError."""
        gone = 0
        end = record_key(Place(topic, partition, before))
        while True:
            batch = WriteBatch(raw_mode=True)
            number = 0
            for key, packed in self.scan(log_prefix(topic, partition)):
                if key >= end or number == _AT_ONCE:
                    break
                number += 1
                place = place_of(key)
                record = self._unpacked(place, packed)
                for kept, _ in entries(place, record, self._names[Topic.EVENTS]).kept:
                    batch.delete(kept)
            if not number:
                return gone
            with self._using():
                self._rocks.write(batch)
            gone += number
            self.version += 1

    def forget_counts(self, minutes_before: int, hours_before: int) -> None:
        """Take away what was counted before these times, epoch milliseconds."""
        batch = WriteBatch(raw_mode=True)
        for kind, before in ((MINUTE, minutes_before), (HOUR, hours_before)):
            for key, _ in self.scan(kind, until=bucket_key(kind, max(before, 0))):
                batch.delete(key)
        with self._using():
            self._rocks.write(batch)

    def record(self, place: Place) -> RawRecord | None:
        """Raises IndexDamaged, ConsoleError."""
        packed = self.value(record_key(place))
        return None if packed is None else self._unpacked(place, packed)

    def value(self, key: bytes) -> bytes | None:
        with self._using():
            found: bytes | None = self._rocks.get(key)
            return found

    def scan(
        self, prefix: bytes, start: bytes | None = None, until: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with the prefix, in their order, from ``start`` on and before ``until``.
        Raises IndexDamaged, ConsoleError."""
        end = after(prefix) if until is None else until
        with self._using():
            found = self._rocks.iter()
            found.seek(prefix if start is None else start)
        while True:
            with self._using():
                if not found.valid():
                    found.status()  # raises over a block that can not be read
                    return
                key, value = found.key(), found.value()
            if key >= end:
                return
            yield key, value
            with self._using():
                found.next()

    def unpacked(self, key: bytes, packed: bytes) -> RawRecord:
        """A record that was scanned."""
        return self._unpacked(place_of(key), packed)

    def _unpacked(self, place: Place, packed: bytes) -> RawRecord:
        try:
            return unpack(self._names[place.topic], place.partition, place.offset, packed)
        except msgspec.MsgspecError as failure:
            raise IndexDamaged(f"a record of it can not be read: {failure}") from failure

    def _note(
        self, batch: WriteBatch, buckets: dict[bytes, Bucket], place: Place, made: Entries
    ) -> None:
        """What waits, and what is counted."""
        outcome = made.outcome
        assert outcome is not None, "only outcomes are counted"
        if made.waits is not None:
            if outcome.final:
                batch.delete(made.waits)
            else:
                batch.put(made.waits, place.encode())
        at = epoch_ms(outcome.decided_at)
        if at is None or at < 0:
            return
        for kind, length in ((MINUTE, MINUTE_MS), (HOUR, HOUR_MS)):
            key = bucket_key(kind, at - at % length)
            if key not in buckets:
                before = self.value(key)
                buckets[key] = Bucket() if before is None else decode_bucket(before)
            buckets[key].add(outcome)

    def _opened(self) -> Rdict:
        """The index as it lies there when it is of this origin, else a new one."""
        if not self._path.exists():
            return self._begun()
        try:
            rocks = _open(self._path)
        except IndexDamaged as failure:
            log.warning("the index is built again: %s", failure)
            return self._begun()
        found = rocks.get(ORIGIN)
        if found == msgspec.json.encode(self._origin):
            return rocks
        rocks.close()
        log.info("the index is of another cluster, topic or version: it is built again")
        return self._begun()

    def _begun(self) -> Rdict:
        try:
            if self._path.exists():
                shutil.rmtree(self._path)
            self._path.mkdir(parents=True)
            rocks = _open(self._path)
            rocks.put(ORIGIN, msgspec.json.encode(self._origin))
        except OSError as failure:
            raise _unusable(self._path, failure) from failure
        return rocks

    @contextmanager
    def _using(self) -> Iterator[None]:
        with _errors_of_rocksdb(self._path):
            yield


def _open(path: Path) -> Rdict:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    # Outcomes are JSON that repeats itself: a sixth of their size on disk.
    options.set_compression_type(DBCompressionType.zstd())
    # A burst of records is sorted in memory and written in large pieces: twice as fast to build.
    options.set_write_buffer_size(64 << 20)
    options.set_max_background_jobs(2)
    with _errors_of_rocksdb(path):
        return Rdict(str(path), options)


@contextmanager
def _errors_of_rocksdb(path: Path) -> Iterator[None]:
    try:
        yield
    except ConsoleError:
        raise
    except Exception as failure:  # rocksdict has no finer one
        if str(failure).startswith(_DAMAGE):
            raise IndexDamaged(f"{path} is damaged: {failure}") from failure
        raise _unusable(path, failure) from failure


def _unusable(path: Path, failure: Exception) -> ConsoleError:
    return ConsoleError(
        f"DATA_DIR: the index in {path} can not be used: {failure}; free the disk, or give this "
        "console a directory of its own that it may write to"
    )
