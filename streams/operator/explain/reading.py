"""Reads from Kafka what it has of one interaction. Joins no group and commits nothing.

Events and outcomes lie in the partition that follows from the interaction's id, and what was put
off in the partition of ``retries`` with the number of its event's. Only those are read. The dead
letters are read whole, because their keys are as they came: there are few.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from aiokafka import ConsumerRecord
from opentelemetry import trace

from streams.core.event import Event, parse_any
from streams.core.foreign_text import foreign_text
from streams.core.records import Source
from streams.errors import EnvelopeError
from streams.kafka.partitioner import partition_of
from streams.kafka.reader import partitions_of, read_topic, time_of
from streams.kafka.settings import KafkaSettings
from streams.operator.explain.found import (
    EventRecord,
    Found,
    Kept,
    LetterRecord,
    OutcomeRecord,
    ReturnRecord,
)
from streams.telemetry.tracing import extract_context
from streams.timestamps import epoch_ms
from streams.wire.dead_letters import NAME_LENGTH, AnyHeaders, read_letter
from streams.wire.events import RECEIVED_AT
from streams.wire.outcomes import Outcome, read_outcome
from streams.wire.reading import Unreadable, read_event
from streams.wire.retries import REASON, Returned, read_returned


class InteractionReader:
    """``since``: read only records from that time on, epoch milliseconds of their time in Kafka;
    None for all."""

    def __init__(
        self, settings: KafkaSettings, interaction_id: str, since: int | None = None
    ) -> None:
        self._settings = settings
        self._id = interaction_id
        self._key = interaction_id.encode()
        self._since = since

    async def find(self) -> Found:
        """Raises TopicsError and KafkaError."""
        topics = self._settings.topics
        home = await self._home(topics.events)
        events, kept = await self._events(home)
        sources = {each.place for each in events}
        return Found(
            self._id,
            events,
            await self._outcomes(sources),
            await self._returns(home, sources),
            await self._letters(sources),
            kept,
            self._since,
        )

    async def _home(self, topic: str) -> int:
        return partition_of(self._key, await partitions_of(self._settings, topic))

    def _read(self, topic: str, partitions: Iterable[int]) -> AsyncGenerator[ConsumerRecord]:
        return read_topic(self._settings, topic, partitions, since=self._since)

    def _may_be_its(self, record: ConsumerRecord) -> bool:
        """Whether it is worth parsing. Most records are of other interactions."""
        return record.key == self._key or self._key in (record.value or b"")

    async def _events(self, partition: int) -> tuple[list[EventRecord], Kept]:
        topic = self._settings.topics.events
        found: list[EventRecord] = []
        kept = Kept(topic, partition, None, None)
        async with aclosing(self._read(topic, [partition])) as records:
            async for record in records:
                if kept.offset is None:
                    kept = Kept(topic, partition, record.offset, time_of(record))
                if self._may_be_its(record) and (own := self._event(record)) is not None:
                    found.append(own)
        return found, kept

    def _event(self, record: ConsumerRecord) -> EventRecord | None:
        event: Event | Unreadable | None = read_event(record.value, parse_any)
        if event is None:
            event = Unreadable("another detail-type, put there by another producer")
        is_its = (
            record.key == self._key
            if isinstance(event, Unreadable)
            else event.interaction_id == self._id
        )
        if not is_its:
            return None
        received_at = epoch_ms(_text(record.headers, RECEIVED_AT))
        return EventRecord(_place(record), time_of(record), _trace_id(record), event, received_at)

    async def _outcomes(self, sources: set[Source]) -> list[OutcomeRecord]:
        topic = self._settings.topics.outcomes
        found = []
        async with aclosing(self._read(topic, [await self._home(topic)])) as records:
            async for record in records:
                if not self._may_be_its(record):
                    continue
                outcome = read_outcome(record.value)
                if isinstance(outcome, Outcome):
                    is_its = outcome.interaction_id == self._id or outcome.source in sources
                else:
                    is_its = record.key == self._key
                if is_its:
                    found.append(
                        OutcomeRecord(_place(record), time_of(record), _trace_id(record), outcome)
                    )
        return found

    async def _returns(self, partition: int, sources: set[Source]) -> list[ReturnRecord]:
        topic = self._settings.topics.retries
        partitions = range(await partitions_of(self._settings, topic))
        found: list[ReturnRecord] = []
        if partition not in partitions:
            return found  # `topics check` says so: it has fewer partitions than events
        async with aclosing(self._read(topic, [partition])) as records:
            async for record in records:
                returned = _returned(record.headers)
                of_its_event = returned is not None and returned.source in sources
                if record.key == self._key or of_its_event:
                    reason = _text(record.headers, REASON)
                    found.append(
                        ReturnRecord(
                            _place(record), time_of(record), _trace_id(record), returned, reason
                        )
                    )
        return found

    async def _letters(self, sources: set[Source]) -> list[LetterRecord]:
        topic = self._settings.topics.dead_letters
        partitions = range(await partitions_of(self._settings, topic))
        found = []
        async with aclosing(self._read(topic, partitions)) as records:
            async for record in records:
                letter = read_letter(
                    record.partition, record.offset, record.key, record.value, record.headers
                )
                if letter.is_of(self._id) or letter.source in sources:
                    found.append(
                        LetterRecord(_place(record), time_of(record), _trace_id(record), letter)
                    )
        return sorted(found, key=lambda each: (each.place.partition, each.place.offset))


def _place(record: ConsumerRecord) -> Source:
    return Source(record.topic, record.partition, record.offset)


def _text(headers: AnyHeaders, name: str) -> str:
    """The text of a header, fit to be printed; empty when it is missing or null."""
    return foreign_text(dict(headers).get(name) or b"", NAME_LENGTH)


def _returned(headers: Sequence[tuple[str, bytes | None]]) -> Returned | None:
    try:
        return read_returned([(name, text) for name, text in headers if text is not None])
    except EnvelopeError:
        return None


def _trace_id(record: ConsumerRecord) -> str | None:
    context = trace.get_current_span(extract_context(record.headers)).get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None
