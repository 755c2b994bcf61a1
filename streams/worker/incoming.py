"""Converts a record, as Kafka delivers it, into our own values.

Any producer may have written it: its key, its value, its headers and its time may be anything that
Kafka stores. What they mean is decided here, once. Nothing here raises.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from faust.types import TP

from streams.core.event import Event
from streams.core.records import PutOff, Source
from streams.core.retry_policy import LONGEST_RETRY_AFTER
from streams.errors import EnvelopeError, InternalError, RecordError, RecordSkipped
from streams.wire.retries import read_returned
from streams.worker.partitions.runs import Record

log = logging.getLogger(__name__)

_KINDS_OF_BYTES = (bytes, bytearray, memoryview)

_NEVER_PUT_OFF = PutOff(attempt=0, not_before=0)

# TOPIC, PARTITION, OFFSET of records that are not to be read (SKIP_RECORDS).
Skipped = frozenset[tuple[str, int, int]]

# Reads an event; None for one of another detail-type. Raises EnvelopeError.
Parse = Callable[[bytes], Event | None]


class Incoming(msgspec.Struct, frozen=True):
    """One record as this program understands it.

    ``headers``: those that have a value, with their names unchanged. ``timestamp``: when the record
    was written, epoch seconds, never later than now. ``event``: the event, or why the record is not
    handled as one. ``source``: the record in ``events`` that this one is, or is a copy of.
    ``put_off``: its last deferral, attempt 0 for none. ``redriven``: how often it was redriven;
    ``replayed``: the last time by a replay. ``not_before``: the record is not decided earlier,
    epoch seconds.
    """

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: float
    event: Event | RecordError
    source: Source
    put_off: PutOff = _NEVER_PUT_OFF
    redriven: int = 0
    not_before: float = 0.0
    replayed: bool = False


def read(
    tp: TP,
    record: Record,
    now: float,
    *,
    parse: Parse,
    events: str,
    retries: str,
    skipped: Skipped,
) -> Incoming:
    """Convert a record. ``events``, ``retries``: the topics' names. ``now``: epoch seconds."""
    source = Source(tp.topic, tp.partition, record.offset)
    key, value = _bytes(record.key), _bytes(record.value)
    headers = _headers(record.headers)
    timestamp = _timestamp(record.timestamp, now)
    if skipped and (tp.topic, tp.partition, record.offset) in skipped:
        named = RecordSkipped("SKIP_RECORDS names this record: nothing of it was read")
        return Incoming(key, value, headers, timestamp, named, source)
    event = _event(parse, tp, record.offset, value)
    if tp.topic != retries:
        return Incoming(key, value, headers, timestamp, event, source)
    try:
        returned = read_returned(headers)
        if (returned.source.topic, returned.source.partition) != (events, tp.partition):
            raise EnvelopeError(f"it is of no record of this partition of {events}")
    except EnvelopeError as stranger:
        return Incoming(key, value, headers, timestamp, stranger, source)
    return Incoming(
        key,
        value,
        headers,
        timestamp,
        event,
        returned.source,
        returned.put_off,
        returned.redriven,
        # A header that another producer wrote must not hold a record back for years.
        min(returned.put_off.not_before / 1000, timestamp + LONGEST_RETRY_AFTER),
        returned.replayed,
    )


def _event(parse: Parse, tp: TP, offset: int, value: bytes | None) -> Event | RecordError:
    """The event, or the error why the record holds none (contract, ``malformed-event``)."""
    try:
        event = parse(value or b"")
    except EnvelopeError as error:
        return error
    except Exception as fault:
        # No bytes are known to cause this. If some do, they must not stop the partition.
        log.exception(
            "a fault of this program: reading a record failed, so it is dead",
            extra={"topic": tp.topic, "partition": tp.partition, "offset": offset},
        )
        return InternalError(f"reading it failed with {type(fault).__name__}")
    if event is None:
        return EnvelopeError("its detail-type is not one this program handles", "detail-type")
    return event


def _bytes(value: Any) -> bytes | None:
    return bytes(value) if isinstance(value, _KINDS_OF_BYTES) else None


def _headers(headers: Any) -> tuple[tuple[str, bytes], ...]:
    """The headers that have a value. A header whose value is null counts as missing."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    named = ((name, _bytes(value)) for name, value in pairs)
    return tuple((str(name), value) for name, value in named if value is not None)


def _timestamp(timestamp_ms: float | None, now: float) -> float:
    """The record's time, epoch seconds, from ``timestamp_ms``, epoch milliseconds. Kafka stores any
    64 bits as a time: one before 1970, one
    after now, or none at all becomes now. Nothing may wait for a time that never comes, or be
    written as a date that does not exist."""
    if timestamp_ms is None or not 0 < timestamp_ms <= now * 1000:
        return now
    return timestamp_ms / 1000
