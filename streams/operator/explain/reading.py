"""Reads from Kafka what it has of one interaction. Joins no group and commits nothing.

Events and outcomes lie in the partition that follows from the interaction's id, and what was put
off in the partition of ``retries`` with the number of its event's. Only those are read, and of what
came of its events only what is not older than they are. The dead letters are read whole, because
their keys are as they came, and the bridge may have refused one before it let the first event in:
there are few.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
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
# before it on, and before ``since``: without that the outcome of a worker whose clock is behind
# would be missed, and its event called undecided.
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
        self._came_since = None if since is None else since - CLOCKS_APART_MS

    async def find(self) -> Found:
        """Raises TopicsError and KafkaError."""
        topics = self._settings.topics
        home = await self._home(topics.events)
        events, kept = await self._events(home)
        since = self._came_of_them_since(events, kept)
        sources = {each.place for each in events}
        returns = await self._returns(home, sources, since)
        sent = {each.returned.source for each in returns if each.returned is not None}
        outcomes, first = await self._outcomes(sources, sent, since)
        return Found(
            self._id,
            events,
            outcomes,
            returns,
            await self._letters(sources, sent),
            kept,
            self._since,
            await self._outcomes_kept(returns, since, first),
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
            return self._came_since
        return max(min(first, now) - CLOCKS_APART_MS, self._came_since or 0)

    def _read(
        self, topic: str, partitions: Iterable[int], since: int | None
    ) -> AsyncGenerator[ConsumerRecord]:
        return read_topic(self._settings, topic, partitions, since=since)

    def _may_be_its(self, record: ConsumerRecord) -> bool:
        """Whether it is worth parsing. Most records are of other interactions."""
        return record.key == self._key or self._key in (record.value or b"")

    def _is_its(
        self,
        record: ConsumerRecord,
        source: Source | None,
        sources: Collection[Source],
        sent: Collection[Source] = (),
        *,
        names_it: bool,
    ) -> bool:
        """Whether a record that came of ``source`` is the interaction's. ``sources``: its events.
        ``sent``: what was put off or sent back of it. ``names_it``: whether the record says so.

        One from before ``since`` is read because clocks differ, and only if it came of these.
        """
        if source in sources:
            return True
        is_early = self._since is not None and time_of(record) < self._since
        return names_it and (not is_early or source in sent)

    async def _events(self, partition: int) -> tuple[list[EventRecord], Kept]:
        topic = self._settings.topics.events
        found: list[EventRecord] = []
        kept = Kept(topic, partition, None, None)
        async with aclosing(self._read(topic, [partition], self._since)) as records:
            async for record in records:
                if kept.offset is None:
                    kept = _kept_from(record)
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

    async def _outcomes(
        self, sources: Collection[Source], sent: Collection[Source], since: int | None
    ) -> tuple[list[OutcomeRecord], Kept]:
        """Its outcomes, and the first record that was read."""
        topic = self._settings.topics.outcomes
        home = await self._home(topic)
        found: list[OutcomeRecord] = []
        first = Kept(topic, home, None, None)
        async with aclosing(self._read(topic, [home], since)) as records:
            async for record in records:
                if first.offset is None:
                    first = _kept_from(record)
                if not self._may_be_its(record):
                    continue
                read = outcome_record(record)
                outcome = read.outcome
                if isinstance(outcome, Outcome):
                    source, names_it = outcome.source, outcome.interaction_id == self._id
                else:
                    source, names_it = None, record.key == self._key
                if self._is_its(record, source, sources, sent, names_it=names_it):
                    found.append(read)
        return found, first

    async def _outcomes_kept(
        self, returns: Sequence[ReturnRecord], since: int | None, first: Kept
    ) -> Kept | None:
        """The first outcome that is kept; None where nothing was redriven, so nobody has to know.
        ``first``: that was read, from ``since`` on."""
        if not any(each.returned is not None and each.returned.redriven for each in returns):
            return None
        if since is None or first.offset == 0:
            return first
        async with aclosing(self._read(first.topic, [first.partition], None)) as records:
            async for record in records:
                return _kept_from(record)
        return first

    async def _returns(
        self, partition: int, sources: Collection[Source], since: int | None
    ) -> list[ReturnRecord]:
        topic = self._settings.topics.retries
        partitions = range(await partitions_of(self._settings, topic))
        found: list[ReturnRecord] = []
        if partition not in partitions:
            return found  # `topics check` says so: it has fewer partitions than events
        async with aclosing(self._read(topic, [partition], since)) as records:
            async for record in records:
                read = return_record(record)
                source = read.returned.source if read.returned is not None else None
                if self._is_its(record, source, sources, names_it=record.key == self._key):
                    found.append(read)
        return found

    async def _letters(
        self, sources: Collection[Source], sent: Collection[Source]
    ) -> list[LetterRecord]:
        topic = self._settings.topics.dead_letters
        partitions = range(await partitions_of(self._settings, topic))
        found = []
        async with aclosing(self._read(topic, partitions, self._came_since)) as records:
            async for record in records:
                read = letter_record(record)
                source, names_it = read.letter.source, read.letter.is_of(self._id)
                if self._is_its(record, source, sources, sent, names_it=names_it):
                    found.append(read)
        return sorted(found, key=lambda each: (each.place.partition, each.place.offset))


def _kept_from(record: ConsumerRecord) -> Kept:
    return Kept(record.topic, record.partition, record.offset, time_of(record))
