"""Decodes the records of one batch, whatever its bytes are. Pure.

aiokafka's parser is quick and strict: for one header name that is not UTF-8 it reads nothing of the
batch, now and at every later start (tests/unit/libraries/test_aiokafka.py). So each batch is first
given to that parser. Where it refuses,
this module reads the batch record by record, as Kafka's own client does. Records that can not be
read even so are named by their offsets, and an operator decides about them
(docs/unreadable-records.md).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatch

from streams.kafka.codecs import UndecodableError, decompress

# BaseOffset, Length, PartitionLeaderEpoch, Magic, CRC, Attributes, LastOffsetDelta, FirstTimestamp,
# MaxTimestamp, ProducerId, ProducerEpoch, BaseSequence, RecordCount. The records follow.
HEADER = struct.Struct(">qiibIhiqqqhii")

_ATTRIBUTES_AT = 21
_ATTRIBUTES = struct.Struct(">h")
_CODEC = 0x07
_LOG_APPEND_TIME = 0x08
_TRANSACTIONAL = 0x10
_CONTROL = 0x20

# A number of 64 bits takes this many bytes at most, at seven bits each.
_LONGEST_VARINT = 10


class Malformed(Exception):
    """Bytes that are not what they should be here. The text says why."""


class Record(NamedTuple):
    """A record that aiokafka's parser did not make, with the same fields as its own records."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    checksum: None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The range of offsets whose records can not be read, the bytes in their place, and why."""

    first: int
    last: int
    content: bytes
    why: str


# A sequence of aiokafka's records or ours, with an Unreadable in the place of those that can not be
# read.
Items = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a batch of magic 2."""

    first: int
    crc: int
    attributes: int
    last: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    count: int

    @classmethod
    def of(cls, content: bytes) -> Header:
        (first, _, _, _, crc, attributes, delta, first_time, max_time, producer, _, _, count) = (
            HEADER.unpack_from(content)
        )
        return cls(first, crc, attributes, first + delta, first_time, max_time, producer, count)

    @property
    def is_full(self) -> bool:
        """Whether nothing was compacted away: there is one record for each offset of the batch."""
        return self.count == self.last - self.first + 1

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def is_control_batch(self) -> bool:
        return bool(self.attributes & _CONTROL)


def decode(header: Header, content: bytes) -> Items:
    """The records of a batch whose CRC is right, in the order of their offsets.

    Raises Malformed when nothing of the batch can be read.
    """
    codec, plain = header.attributes & _CODEC, content
    if codec:
        try:
            records = decompress(codec, content[HEADER.size :])
        except UndecodableError as wrong:
            raise Malformed(str(wrong)) from wrong
        attributes = _ATTRIBUTES.pack(header.attributes & ~_CODEC)
        before, behind = content[:_ATTRIBUTES_AT], content[_ATTRIBUTES_AT + 2 : HEADER.size]
        plain = b"".join((before, attributes, behind, records))
    strict = _strictly(plain)
    if strict is not None and _in_place(header, [record.offset for record in strict]):
        return strict
    return _Tolerant(header, plain).items()


def _strictly(plain: bytes) -> Items | None:
    """The records as aiokafka's parser reads them; None when it refuses the batch."""
    try:
        return list(DefaultRecordBatch(plain))
    except Exception:  # noqa: BLE001  _Tolerant reads it again, and gives a better reason
        return None


def _in_place(header: Header, offsets: Sequence[int]) -> bool:
    """Whether all offsets are the batch's own, and each one is higher than the one before it."""
    if header.is_full:
        return offsets == list(range(header.first, header.last + 1))
    reached = header.first - 1
    for offset in offsets:
        if not reached < offset <= header.last:
            return False
        reached = offset
    return True


class _Tolerant:
    """Reads one batch. The records behind a broken record count only if all of them fit: each one
    has its own offset, and the last one ends where the bytes end."""

    def __init__(self, header: Header, content: bytes) -> None:
        self._header = header
        self._content = content
        self._items: list[Record | Unreadable] = []
        # Of the first broken record: how many items came before it, its offset, where it begins,
        # and why it is broken.
        self._broken: tuple[int, int, int, str] | None = None

    def items(self) -> Items:
        header, content = self._header, self._content
        if header.count < 0:
            raise Malformed(f"it says that it has {header.count} records")
        at, offset = HEADER.size, header.first
        for _ in range(header.count):
            if offset > header.last:
                break  # more records than offsets
            try:
                begins, ends = self._frame(at)
            except Malformed as why:
                return self._rest_is_lost(offset, at, str(why))
            try:
                offset = self._take(begins, ends, offset) + 1
            except Malformed as why:
                if not header.is_full:
                    return self._rest_is_lost(offset, at, str(why))
                self._lose(offset, at, ends, str(why))
                offset += 1
            at = ends
        if at != len(content) and (self._broken is not None or not header.is_full):
            return self._rest_is_lost(offset, at, f"{len(content) - at} bytes are no record")
        return self._items

    def _frame(self, at: int) -> tuple[int, int]:
        """Where the record at ``at`` begins (behind its length) and ends. Raises Malformed."""
        length, begins = _varint(self._content, at, len(self._content))
        if not 0 < length <= len(self._content) - begins:
            raise Malformed(f"a record of it says that it is {length} bytes long")
        return begins, begins + length

    def _take(self, begins: int, ends: int, offset: int) -> int:
        """Read a record that should have this offset, or a higher one if the batch was compacted.
        Returns the offset that it has. Raises Malformed."""
        header = self._header
        delta, record = _record(header, self._content, begins, ends)
        said = header.first + delta
        if not header.is_full:
            if not offset <= said <= header.last:
                raise Malformed(f"a record of it says that its offset is {said}")
            offset = said
        elif said != offset and self._broken is not None:
            raise Malformed(f"a record of it says that its offset is {said}")
        # In a full batch a broker numbers the records itself, so the offset that the producer wrote
        # into a record does not count.
        self._items.append(record._replace(offset=offset))
        return offset

    def _lose(self, offset: int, at: int, ends: int, why: str) -> None:
        if self._broken is None:
            self._broken = len(self._items), offset, at, why
        self._items.append(Unreadable(offset, offset, self._content[at:ends], why))

    def _rest_is_lost(self, offset: int, at: int, why: str) -> Items:
        """The items, with all offsets from the first broken record on as one Unreadable: if the
        length of a record is wrong, all records behind it may have been read from the wrong place.
        """
        kept, offset, at, why = self._broken or (len(self._items), offset, at, why)
        if offset > self._header.last:
            return self._items  # the bytes left have no offset, so they are no record
        lost = Unreadable(offset, self._header.last, self._content[at:], why)
        return [*self._items[:kept], lost]


def _record(header: Header, content: bytes, at: int, ends: int) -> tuple[int, Record]:
    """How far the record's offset is behind the batch's first, and the record between ``at`` and
    ``ends``. Raises Malformed.

    The record is as Kafka's own client reads it. Only header names that are not UTF-8 may differ:
    both readers put U+FFFD in the place of such bytes.
    """
    delta_time, at = _varint(content, at + 1, ends)  # behind a byte of attributes, not used yet
    delta, at = _varint(content, at, ends)
    key, at = _nullable(content, at, ends)
    value, at = _nullable(content, at, ends)
    count, at = _varint(content, at, ends)
    if count < 0:
        raise Malformed(f"a record of it says that it has {count} headers")
    headers = []
    for _ in range(count):
        name, at = _nullable(content, at, ends)
        if name is None:
            raise Malformed("a record of it has a header without a name")
        value_of, at = _nullable(content, at, ends)
        headers.append((name.decode("utf-8", "replace"), value_of))
    if at != ends:
        raise Malformed(f"a record of it ends {ends - at} bytes before its length does")
    by_broker = bool(header.attributes & _LOG_APPEND_TIME)
    timestamp = header.max_timestamp if by_broker else header.first_timestamp + delta_time
    # Wraps around at 64 bits, as Kafka's own sum does.
    timestamp = (timestamp + 2**63) % 2**64 - 2**63
    return delta, Record(0, timestamp, int(by_broker), key, value, headers)


def _nullable(content: bytes, at: int, ends: int) -> tuple[bytes | None, int]:
    """The bytes behind a length, and where they end. A negative length means None. Raises
    Malformed."""
    length, at = _varint(content, at, ends)
    if length < 0:
        return None, at
    if length > ends - at:
        raise Malformed(f"a record of it has a field of {length} bytes, and {ends - at} are left")
    return content[at : at + length], at + length


def _varint(content: bytes, at: int, ends: int) -> tuple[int, int]:
    """A signed number, and where it ends. Raises Malformed."""
    number = 0
    for place in range(_LONGEST_VARINT):
        if at >= ends:
            raise Malformed("a record of it ends in the middle of a number")
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            number &= 2**64 - 1
            return number >> 1 ^ -(number & 1), at
    raise Malformed("a record of it has a number of more than 64 bits")
