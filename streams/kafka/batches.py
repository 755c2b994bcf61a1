"""Cuts the bytes of a fetch into batches. Pure.

A batch is not read, but reported as Unreadable, if its CRC is wrong, if its format or codec is
unknown, or if its offsets can not be at this place of the log. Its last offset is then read from
the batch behind it rather than from the batch itself.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import calc_crc32c

from streams.kafka.decoding import HEADER, Header, Items, Malformed, Unreadable, decode

# BaseOffset, Length, PartitionLeaderEpoch (or CRC), Magic: at the same place in every format.
_FRAME = struct.Struct(">qiIb")
_OFFSET = struct.Struct(">q")

# The length in a batch counts the bytes behind this position.
_LENGTH_ENDS_AT = 12

# Where the bytes begin that the CRC covers: in magic 0 and 1, and in magic 2.
_LEGACY_CHECKED_FROM = 16
_CHECKED_FROM = 21

# CRC, magic, attributes, and the lengths of a key and a value.
_SHORTEST_MESSAGE = 14

_WRONG_CRC = "its checksum does not match its bytes"


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch. ``items``: its records in order, with an Unreadable in the place of those that can
    not be read."""

    first: int
    last: int
    items: Items
    producer_id: int | None = None
    is_transactional: bool = False
    is_control_batch: bool = False


def read_batches(fetched: bytes, position: int, end: int) -> Iterator[Batch]:
    """The batches of a fetch from ``position``, in order. ``end``: the partition's end offset from
    the same answer.

    A batch that is cut off because the fetch was full is left for the next fetch. Behind a batch
    that can not be read, reading goes on only if it is certain where the next batch begins.
    """
    at = 0
    while at < len(fetched):
        ends = _end_of(fetched, at)
        if ends is None or ends > len(fetched):
            # The broker sends the first batch whole (KIP-74): only a later one may be cut off.
            if at == 0 or ends is None:
                yield _lost(fetched[at:], position, end, None, "the length it gives is not its own")
            return
        content, following = fetched[at:ends], _offset_at(fetched, ends)
        try:
            batch = _read(content, position, end, following)
        except Malformed as why:
            batch = _lost(content, position, end, following, str(why))
            yield batch
            if following != batch.last + 1:
                return
        else:
            yield batch
        at, position = ends, batch.last + 1


def _end_of(fetched: bytes, at: int) -> int | None:
    """Where the batch ends, by its own length: behind all bytes if it is cut off; None if the
    length is impossible."""
    if len(fetched) - at < _FRAME.size:
        return len(fetched) + 1
    _, length, _, magic = _FRAME.unpack_from(fetched, at)
    shortest = _SHORTEST_MESSAGE if magic in {0, 1} else HEADER.size - _LENGTH_ENDS_AT
    return None if length < shortest else at + _LENGTH_ENDS_AT + int(length)


def _offset_at(fetched: bytes, at: int) -> int | None:
    """The first offset of the batch that begins at ``at``; None if too few bytes are left."""
    if len(fetched) - at < _OFFSET.size:
        return None
    return int(_OFFSET.unpack_from(fetched, at)[0])


def _read(content: bytes, position: int, end: int, following: int | None) -> Batch:
    """Read one batch. Raises Malformed."""
    _, _, crc, magic = _FRAME.unpack_from(content)
    if magic in {0, 1}:
        batch = _legacy(content, crc, magic)
    elif magic == 2:
        batch = _current(content)
    else:
        raise Malformed(f"its format has the number {magic}, and Kafka has 0, 1 and 2")
    overlaps = following is not None and following <= batch.last
    # A gap alone comes from compaction. A batch behind a gap is at the wrong place if it also
    # overlaps the next batch or reaches the end. The broker takes the end before it looks up the
    # records (Partition.readRecords in Kafka's source), so some records may lie behind the end; but
    # there is no gap before those, because records that new are not compacted yet.
    leaps = batch.first > position and (overlaps or batch.last >= end)
    if batch.last < position or leaps:
        raise Malformed(
            f"it says that it has the offsets {batch.first} to {batch.last}, which is not its place"
        )
    return batch


def _current(content: bytes) -> Batch:
    header = Header.of(content)
    if calc_crc32c(content[_CHECKED_FROM:]) != header.crc:
        raise Malformed(_WRONG_CRC)
    if header.last < header.first:
        raise Malformed("it says that its last offset is before its first")
    return Batch(
        header.first,
        header.last,
        decode(header, content),
        header.producer_id,
        header.is_transactional,
        header.is_control_batch,
    )


def _legacy(content: bytes, crc: int, magic: int) -> Batch:
    """Read a format from before Kafka 0.11: a cluster may still hold such batches. Raises
    Malformed."""
    if zlib.crc32(content[_LEGACY_CHECKED_FROM:]) != crc:
        raise Malformed(_WRONG_CRC)
    try:
        batch = LegacyRecordBatch(content, magic)
        records = list(batch)
    except Exception as wrong:
        raise Malformed(f"it is not as its format, number {magic}, has it ({wrong})") from wrong
    if not records:
        raise Malformed("it has no record, though its format has one at least")
    return Batch(records[0].offset, batch.next_offset - 1, records)


def _lost(content: bytes, position: int, end: int, following: int | None, why: str) -> Batch:
    """A Batch in the place of one that can not be read: it has a single Unreadable.

    Its first offset is ``position``, or the batch's own first offset if that is higher and below
    ``end``. Its last offset is the one before the following batch; else the batch's own last offset
    if its record count agrees; else its first offset, and the rest comes with the next fetch.
    """
    first = _offset_at(content, 0)
    first = position if first is None or not position < first < end else first
    ends = [] if following is None else [following - 1]
    if len(content) >= HEADER.size:
        header = Header.of(content)
        ends += [header.last] if header.is_full else []
    last = next((each for each in ends if first <= each < end), first)
    return Batch(first, last, [Unreadable(first, last, content, why)])
