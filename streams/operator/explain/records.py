"""Reads what Kafka has of one interaction: each record, as a value of ``found``. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from opentelemetry import trace

from streams.core.event import Event, parse_any
from streams.core.foreign_text import foreign_text
from streams.core.records import Source
from streams.errors import EnvelopeError
from streams.operator.explain.found import (
    EventRecord,
    LetterRecord,
    OutcomeRecord,
    ReturnRecord,
)
from streams.telemetry.tracing import extract_context
from streams.timestamps import epoch_ms
from streams.wire.dead_letters import NAME_LENGTH, AnyHeaders, read_letter
from streams.wire.events import RECEIVED_AT
from streams.wire.outcomes import read_outcome
from streams.wire.reading import Unreadable, read_event
from streams.wire.retries import BY, REASON, WHY, Returned, read_returned


class RawRecord(Protocol):
    """A record as it lies in Kafka."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


def event_record(record: RawRecord) -> EventRecord:
    """A record of ``events``."""
    event: Event | Unreadable | None = read_event(record.value, parse_any)
    if event is None:
        event = Unreadable("another detail-type, put there by another producer")
    received_at = epoch_ms(_text(record.headers, RECEIVED_AT))
    return EventRecord(_place(record), _time(record), _trace_id(record), event, received_at)


def outcome_record(record: RawRecord) -> OutcomeRecord:
    """A record of ``outcomes``."""
    outcome = read_outcome(record.value)
    return OutcomeRecord(_place(record), _time(record), _trace_id(record), outcome)


def return_record(record: RawRecord) -> ReturnRecord:
    """A record of ``retries``."""
    return ReturnRecord(
        _place(record),
        _time(record),
        _trace_id(record),
        _returned(record.headers),
        reason=_text(record.headers, REASON),
        by=_text(record.headers, BY),
        why=_text(record.headers, WHY),
    )


def letter_record(record: RawRecord) -> LetterRecord:
    """A record of ``dead-letters``."""
    letter = read_letter(record.partition, record.offset, record.key, record.value, record.headers)
    return LetterRecord(_place(record), _time(record), _trace_id(record), letter)


def _place(record: RawRecord) -> Source:
    return Source(record.topic, record.partition, record.offset)


def _time(record: RawRecord) -> int:
    return -1 if record.timestamp is None else record.timestamp


def _text(headers: AnyHeaders, name: str) -> str:
    """The text of a header, fit to be printed; empty when it is missing or null."""
    return foreign_text(dict(headers).get(name) or b"", NAME_LENGTH)


def _returned(headers: Sequence[tuple[str, bytes | None]]) -> Returned | None:
    try:
        return read_returned([(name, text) for name, text in headers if text is not None])
    except EnvelopeError:
        return None


def _trace_id(record: RawRecord) -> str | None:
    context = trace.get_current_span(extract_context(record.headers)).get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None
