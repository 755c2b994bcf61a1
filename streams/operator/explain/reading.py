"""Reads from Kafka what it has of one interaction. Joins no group and commits nothing.

Events and outcomes lie in the partition that follows from the interaction's id, and what was put
off in the partition of ``retries`` with the number of its event's. Only those are read, and of what
came of its events only what is not older than they are. The dead letters are read whole, because
their keys are as they came, and the bridge may have refused one before it let the first event in:
there are few.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from aiokafka import ConsumerRecord

from streams.clock import Clock
from streams.core.records import Source
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
from streams.operator.explain.records import (
    event_record,
    letter_record,
    outcome_record,
    return_record,
)
from streams.wire.outcomes import Outcome
from streams.wire.reading import Unreadable

# How far the clocks of bridge and worker may be apart. What came of an event is read from so long
# before it on.
CLOCKS_APART_MS = 3_600_000

# How long an interaction may go without an event. One whose first event is no younger than the
# partition by more than that may have had an older one, which is no longer kept.
SILENT_MS = 24 * 3_600_000


class InteractionReader:
    """``since``: read only records from that time on, epoch milliseconds of their time in Kafka;
    None for all."""

    def __init__(
        self,
        settings: KafkaSettings,
        interaction_id: str,
        since: int | None = None,
        *,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._id = interaction_id
        self._key = interaction_id.encode()
        self._since = since

    async def find(self) -> Found:
        """Raises TopicsError and KafkaError."""
        topics = self._settings.topics
        home = await self._home(topics.events)
        events, kept = await self._events(home)
        since = self._came_of_them_since(events, kept)
        sources = {each.place for each in events}
        return Found(
            self._id,
            events,
            await self._outcomes(sources, since),
            await self._returns(home, sources, since),
            await self._letters(sources),
            kept,
            self._since,
        )

    async def _home(self, topic: str) -> int:
        return partition_of(self._key, await partitions_of(self._settings, topic))

    def _came_of_them_since(self, events: Sequence[EventRecord], kept: Kept) -> int | None:
        """The time in Kafka before which nothing came of its events; None when nobody knows."""
        now = round(self._clock.time() * 1000)
        # Any producer may have written it, with a time before 1970 or far ahead.
        first = min((each.at for each in events), default=0)
        begins = kept.at or 0
        if first <= 0 or begins <= 0 or first - begins < SILENT_MS:
            return self._since
        return max(min(first, now) - CLOCKS_APART_MS, self._since or 0)

    def _read(
        self, topic: str, partitions: Iterable[int], since: int | None
    ) -> AsyncGenerator[ConsumerRecord]:
        return read_topic(self._settings, topic, partitions, since=since)

    def _may_be_its(self, record: ConsumerRecord) -> bool:
        """Whether it is worth parsing. Most records are of other interactions."""
        return record.key == self._key or self._key in (record.value or b"")

    async def _events(self, partition: int) -> tuple[list[EventRecord], Kept]:
        topic = self._settings.topics.events
        found: list[EventRecord] = []
        kept = Kept(topic, partition, None, None)
        async with aclosing(self._read(topic, [partition], self._since)) as records:
            async for record in records:
                if kept.offset is None:
                    kept = Kept(topic, partition, record.offset, time_of(record))
                if self._may_be_its(record) and (own := self._event(record)) is not None:
                    found.append(own)
        return found, kept

    def _event(self, record: ConsumerRecord) -> EventRecord | None:
        found = event_record(record)
        is_its = (
            record.key == self._key
            if isinstance(found.event, Unreadable)
            else found.event.interaction_id == self._id
        )
        return found if is_its else None

    async def _outcomes(self, sources: set[Source], since: int | None) -> list[OutcomeRecord]:
        topic = self._settings.topics.outcomes
        found = []
        async with aclosing(self._read(topic, [await self._home(topic)], since)) as records:
            async for record in records:
                if not self._may_be_its(record):
                    continue
                read = outcome_record(record)
                outcome = read.outcome
                if isinstance(outcome, Outcome):
                    is_its = outcome.interaction_id == self._id or outcome.source in sources
                else:
                    is_its = record.key == self._key
                if is_its:
                    found.append(read)
        return found

    async def _returns(
        self, partition: int, sources: set[Source], since: int | None
    ) -> list[ReturnRecord]:
        topic = self._settings.topics.retries
        partitions = range(await partitions_of(self._settings, topic))
        found: list[ReturnRecord] = []
        if partition not in partitions:
            return found  # `topics check` says so: it has fewer partitions than events
        async with aclosing(self._read(topic, [partition], since)) as records:
            async for record in records:
                read = return_record(record)
                of_its_event = read.returned is not None and read.returned.source in sources
                if record.key == self._key or of_its_event:
                    found.append(read)
        return found

    async def _letters(self, sources: set[Source]) -> list[LetterRecord]:
        topic = self._settings.topics.dead_letters
        partitions = range(await partitions_of(self._settings, topic))
        found = []
        async with aclosing(self._read(topic, partitions, self._since)) as records:
            async for record in records:
                read = letter_record(record)
                if read.letter.is_of(self._id) or read.letter.source in sources:
                    found.append(read)
        return sorted(found, key=lambda each: (each.place.partition, each.place.offset))
