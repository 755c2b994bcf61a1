"""A record of Kafka as the index keeps it: untouched, with its time and headers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class RawRecord(msgspec.Struct, frozen=True):
    """A record with its place. ``timestamp``: epoch milliseconds, as its producer says; -1 for
    none."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """Beside its place, which is in the key."""

    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


def pack(record: RawRecord) -> bytes:
    return _encode(_Kept(record.timestamp, record.key, record.value, tuple(record.headers)))


def unpack(topic: str, partition: int, offset: int, packed: bytes) -> RawRecord:
    kept = _decode(packed)
    return RawRecord(topic, partition, offset, kept.timestamp, kept.key, kept.value, kept.headers)
