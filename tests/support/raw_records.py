"""Record batches made by hand, for what no producer's library would send.

    async with RawProducer(servers) as producer:
        odd = RawRecord(value=b"x", headers=((b"\\xff", None),))
        await producer.send("events", 0, batch([odd], codec=Codec.ZSTD))

Any bytes or none as key, value, header names and header values; any int64 as timestamp; any codec
and any number in the place of one; a wrong CRC; a record's bytes themselves, where they are given.
What reaches a consumer is for the broker to say, which raises RefusedBatch. Tried:

* Apache Kafka 4.3 takes header names that are not UTF-8, lengths below -1 (as none), negative
  times, an attributes byte above 0x7f, a wrong offset within an uncompressed batch, and a wrong
  length in front of a compressed record. It refuses a wrong CRC, unknown magics and codecs, a
  payload that does not decompress, a record that ends elsewhere than its length says, a wrong
  number of records, and a time later than ``message.timestamp.after.max.ms``.
* The embedded broker takes whatever begins like a batch of magic 2 or more, with a record count
  above 0.

Bit rot on a real broker's disk is made with ``stored_batches``, while the broker is stopped.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType

import aiokafka.codec
import aiokafka.errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

ANSWER_MS = 10_000

# BaseOffset, Length, PartitionLeaderEpoch, Magic, CRC; then what the CRC is computed over:
# Attributes, LastOffsetDelta, FirstTimestamp, MaxTimestamp, ProducerId, ProducerEpoch,
# BaseSequence, RecordCount, and the records.
FRAME = struct.Struct(">qiibI")
HEADER = struct.Struct(">hiqqqhii")

# The length counts what follows it.
LENGTH_ENDS_AT = 12

TRANSACTIONAL = 0x10
CONTROL = 0x20

HeaderPair = tuple[bytes, bytes | None]


class Codec(IntEnum):
    """Kafka's codecs, and three numbers that are none."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4
    FIVE = 5
    SIX = 6
    SEVEN = 7

    @property
    def is_known(self) -> bool:
        return self <= Codec.ZSTD


KNOWN_CODECS = tuple(codec for codec in Codec if codec.is_known)


class RefusedBatch(Exception):
    """The broker did not take the batch; the text is its error's name."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as it is to be. ``timestamp``: epoch milliseconds, any int64."""

    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[HeaderPair] = ()
    timestamp: int = 0


# Bytes stand for a whole record, its length in front included.
RecordLike = RawRecord | bytes


def varint(value: int) -> bytes:
    """A signed number as records have them: zigzag, seven bits a byte."""
    left = ((value << 1) ^ (value >> 63)) & 0xFFFFFFFFFFFFFFFF
    encoded = bytearray()
    while left > 0x7F:
        encoded.append(left & 0x7F | 0x80)
        left >>= 7
    encoded.append(left)
    return bytes(encoded)


def nullable(value: bytes | None) -> bytes:
    """Bytes, or none, behind their length."""
    return varint(-1) if value is None else varint(len(value)) + value


def encoded_record(record: RawRecord, offset_delta: int, first_timestamp: int) -> bytes:
    """One record of a batch, its length in front."""
    # Wrapped to 64 bits: a batch may span from the least to the greatest time there is.
    delta = (record.timestamp - first_timestamp + 2**63) % 2**64 - 2**63
    body = b"".join(
        (
            b"\x00",
            varint(delta),
            varint(offset_delta),
            nullable(record.key),
            nullable(record.value),
            varint(len(record.headers)),
            *(nullable(name) + nullable(value) for name, value in record.headers),
        )
    )
    return varint(len(body)) + body


def batch(
    records: Sequence[RecordLike],
    *,
    codec: Codec = Codec.NONE,
    attributes: int = 0,
    payload: bytes | None = None,
    count: int | None = None,
    first_timestamp: int | None = None,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    magic: int = 2,
    crc_xor: int = 0,
) -> bytes:
    """A batch of these records.

    ``attributes``: bits beside the codec's. ``payload``: in the place of the (compressed) records.
    ``count``: in the place of their number, the last offset stays. ``crc_xor``: not 0 for a wrong
    CRC. Without a ``base_sequence`` the broker checks none.
    """
    times = [each.timestamp for each in records if isinstance(each, RawRecord)]
    first = (times or [0])[0] if first_timestamp is None else first_timestamp
    encoded = b"".join(
        each if isinstance(each, bytes) else encoded_record(each, number, first)
        for number, each in enumerate(records)
    )
    header = HEADER.pack(
        codec | attributes,
        len(records) - 1,
        first,
        max(times, default=first),
        producer_id,
        producer_epoch,
        base_sequence,
        len(records) if count is None else count,
    )
    checked = header + (compressed(encoded, codec) if payload is None else payload)
    length = len(checked) + FRAME.size - LENGTH_ENDS_AT
    return FRAME.pack(0, length, -1, magic, calc_crc32c(checked) ^ crc_xor) + checked


def compressed(records: bytes, codec: Codec) -> bytes:
    """As a producer compresses them; as they are for a codec that there is not."""
    match codec:
        case Codec.GZIP:
            return bytes(aiokafka.codec.gzip_encode(records))
        case Codec.SNAPPY:
            return bytes(aiokafka.codec.snappy_encode(records))
        case Codec.LZ4:
            return bytes(aiokafka.codec.lz4_encode(records))
        case Codec.ZSTD:
            return bytes(aiokafka.codec.zstd_encode(records))
        case _:
            return records


class RawProducer:
    """Sends batches as they are, acknowledged by all replicas. Async context manager."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._client = AIOKafkaClient(bootstrap_servers=bootstrap_servers)

    async def __aenter__(self) -> RawProducer:
        await self._client.bootstrap()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.close()

    async def send(self, topic: str, partition: int, batch: bytes) -> int:
        """The offset of its first record. Raises RefusedBatch with the broker's error."""
        await self._client.add_topic(topic)
        leader = self._client.cluster.leader_for_partition(TopicPartition(topic, partition))
        if leader is None or leader == -1:
            raise RefusedBatch(f"{topic}/{partition} has no leader")
        request = ProduceRequest(None, -1, ANSWER_MS, [(topic, [(partition, batch)])])
        answer = await self._client.send(leader, request)
        (_, ((_, error, offset, *_),)), *_ = answer.topics
        if error:
            raise RefusedBatch(aiokafka.errors.for_code(error).__name__)
        return int(offset)


async def produce_raw(
    bootstrap_servers: str, topic: str, partition: int, batches: Iterable[bytes]
) -> list[int]:
    """Send these one after the other; the offset of each one's first record."""
    async with RawProducer(bootstrap_servers) as producer:
        return [await producer.send(topic, partition, each) for each in batches]


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """Where a batch lies in a broker's segment file: its first and last offset, and its bytes'."""

    segment: Path
    begins_at: int
    size: int
    first_offset: int
    last_offset: int

    def flip(self, at: int, mask: int = 0xFF) -> None:
        """Bit rot: change the byte ``at`` places into the batch, from the end if negative. The
        broker must be stopped, or what it sends comes from where it keeps it meanwhile."""
        place = self.begins_at + at % self.size
        content = bytearray(self.segment.read_bytes())
        content[place] ^= mask
        self.segment.write_bytes(content)


def stored_batches(data: Path, topic: str, partition: int) -> list[StoredBatch]:
    """All batches of a partition, in order. ``data``: the broker's ``log.dirs``."""
    found = []
    for segment in sorted((data / f"{topic}-{partition}").glob("*.log")):
        content, place = segment.read_bytes(), 0
        while place + FRAME.size + HEADER.size <= len(content):
            first, length, *_ = FRAME.unpack_from(content, place)
            _, last_delta, *_ = HEADER.unpack_from(content, place + FRAME.size)
            if length <= 0:
                break  # room that the broker has set aside and not used yet
            size = length + LENGTH_ENDS_AT
            found.append(StoredBatch(segment, place, size, first, first + last_delta))
            place += size
    return found


def at_offset(batch: bytes, offset: int) -> bytes:
    """The batch as a broker hands it out: with the offset it was given. The CRC does not cover
    it."""
    return struct.pack(">q", offset) + batch[8:]
