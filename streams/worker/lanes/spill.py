"""Records that wait for their time on the disk: of each only its time and place stay in memory.

A million of them wait as cheaply as they would in Kafka, and the one that is due next is found all
the same. What is here is no more than a copy of ``retries``: it is thrown away when the partitions
go, and when the worker starts.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import rocksdict

from streams.core.due_order import DueOrder, Minute, Place
from streams.core.records import Reason
from streams.errors import StoreError
from streams.wire.retries import REASON
from streams.worker.lanes.source_record import SourceRecord

log = logging.getLogger(__name__)

# What RocksDB keeps in memory before it writes: its own 64 MiB would be a third of the worker.
WRITE_BUFFER = 8 << 20

# The most bytes of these records, before RocksDB compresses them. A million of the usual size have
# less; as many of a megabyte each would fill the disk, and again after each start.
MOST_BYTES = 4 << 30

_PLANNED = Reason.LOOK_PLANNED.value.encode()


class Spilled(msgspec.Struct, frozen=True, array_like=True):
    """A record as the consumer has fetched it, and when it was taken up, monotonic seconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    taken_up_at: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Spilled).decode


class Spill:
    """Records of ``retries`` in a RocksDB of their own in ``directory``, which is made when the
    first one comes. At most ``most``, and at most ``most_bytes`` of them. All that touches the disk
    raises StoreError."""

    def __init__(self, directory: Path, *, most: int, most_bytes: int = MOST_BYTES) -> None:
        self._directory = directory
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._order = DueOrder()
        self._rocks: rocksdict.Rdict | None = None
        # Nothing here outlives the process, so a log of what was written would be written in vain.
        self._unlogged = rocksdict.WriteOptions()
        self._unlogged.disable_wal = True  # type: ignore[method-assign,assignment]  # its stub is wrong

    def __len__(self) -> int:
        return len(self._order)

    def fills(self, share: float) -> bool:
        """Whether this part of it is full."""
        return len(self._order) >= share * self._most or self._bytes >= share * self._most_bytes

    def put(self, record: SourceRecord) -> None:
        """The record that waits, which may leave the memory."""
        place = due_place(record)
        spilled = Spilled(
            record.tp.partition,
            record.offset,
            round(record.timestamp * 1000),
            record.key,
            record.value,
            record.headers,
            record.taken_up_at,
        )
        encoded = _encode(spilled)
        with self._errors():
            self._opened().put(_key(place), encoded, self._unlogged)
        self._bytes += len(encoded)
        planned = is_planned(record)
        self._order.add(place, occurred_at=record.occurred_at, planned=planned)

    def first(self) -> Place | None:
        """Where the one is that is due next."""
        return self._order.first()

    def pop(self) -> Spilled:
        """Take out the one that is due next. Raises IndexError when there is none."""
        place = self._order.pop()
        encoded = self._found(place)
        with self._errors():
            self._opened().delete(_key(place), self._unlogged)
        self._bytes -= len(encoded)
        return _decode(encoded)

    def next(self, most: int) -> Iterator[Spilled]:
        """Those that are due next, at most so many. Looks at the places of all."""
        return map(self._read, self._order.next(most))

    def places(self) -> Iterator[Place]:
        """Where they all are, in no order."""
        return self._order.places()

    def minutes(self) -> Iterable[Minute]:
        """How many are due when, in no order."""
        return self._order.minutes()

    def clear(self) -> None:
        """Throw all away. Never raises: the partitions are given up whatever the disk does, and
        what is left there is thrown away before the next record comes."""
        self._order.clear()
        self._bytes = 0
        rocks, self._rocks = self._rocks, None
        if rocks is None:
            return
        try:
            with self._errors():
                rocks.close()
                shutil.rmtree(self._directory)
        except StoreError as failure:
            log.warning(
                "records that waited on the disk could not be thrown away: they take room there "
                "until others wait",
                extra={"why": str(failure)},
            )

    def _read(self, place: Place) -> Spilled:
        return _decode(self._found(place))

    def _found(self, place: Place) -> bytes:
        with self._errors():
            found: bytes | None = self._opened().get(_key(place))
            if found is None:
                raise KeyError(f"nothing is there of {place}")
            return found

    def _opened(self) -> rocksdict.Rdict:
        if self._rocks is None:
            if self._directory.exists():
                shutil.rmtree(self._directory)  # a worker that was killed has left it
            self._directory.mkdir(parents=True)
            options = rocksdict.Options(raw_mode=True)
            options.create_if_missing(True)
            options.set_write_buffer_size(WRITE_BUFFER)
            self._rocks = rocksdict.Rdict(str(self._directory), options)
        return self._rocks

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as failure:  # rocksdict has no finer one
            raise StoreError(
                f"DATA_DIR: records that wait can not be kept in {self._directory}: {failure}; "
                "free space, mend the disk or take another directory, and start the worker again: "
                "nothing is lost, `retries` has them all"
            ) from failure


def due_place(record: SourceRecord) -> Place:
    """Where the record stands among those that wait."""
    due_ms = max(0, round(record.not_before * 1000))  # what is overdue since 1970 is no less so
    return Place(due_ms, record.tp.partition, record.offset)


def is_planned(record: SourceRecord) -> bool:
    """Whether it waits because a look is planned, as its headers say, and not for a failure."""
    return (REASON, _PLANNED) in record.headers


def _key(place: Place) -> bytes:
    # In the order in which they leave, so what is deleted lies together.
    return b"".join(number.to_bytes(8, "big") for number in place)
