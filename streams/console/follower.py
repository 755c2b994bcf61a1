"""Keeps the index up with Kafka: reads the four topics without a group, from where the index ends,
and takes away what Kafka has deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import aiokafka
import aiokafka.errors
from aiokafka import TopicPartition

from streams.clock import Clock
from streams.console.index.counts import HOUR_MS
from streams.console.index.keys import Topic
from streams.console.index.raw import RawRecord
from streams.console.index.store import Index, Origin
from streams.core.foreign_text import foreign_text
from streams.errors import IndexDamaged, KafkaError, TopicsError
from streams.kafka import decoding
from streams.kafka.admin import TopicsAdmin
from streams.kafka.connection import aiokafka_options
from streams.kafka.diagnosis import why_not
from streams.kafka.fetching import read_on
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import check_rights, no_topics
from streams.stopping import in_daemon_thread

log = logging.getLogger(__name__)

# Records that are put into the index in one go. Meanwhile no page is answered for as long as the
# interpreter keeps the thread: a few milliseconds.
MOST_AT_ONCE = 500

# How long a fetch waits for new records; each wait costs one request.
FETCH_WAIT_MS = 500

# As ``read_topic``: a fetch brings thousands of outcomes.
FETCH_BYTES = 4 << 20

# After this long Kafka is asked again what it still has; retention deletes whole segments, which
# takes minutes at least.
FORGET_EVERY_SECONDS = 60.0

# Minutes are shown of the last day, hours of the last week.
MINUTES_KEPT_MS, HOURS_KEPT_MS = 26 * HOUR_MS, 8 * 24 * HOUR_MS

# Between two tries while Kafka does not answer.
TRY_AGAIN_SECONDS = 3.0

# How long the topics may take to be described; the shutdown waits for no answer.
ANSWER_SECONDS = 5.0

REASON_LENGTH = 300


@dataclass
class Progress:
    """How far the index is. ``ends``: of each partition, as last heard. ``failure``: why nothing is
    read now, None while all is well. ``unreadable``: partitions that can not be read on, and why.
    ``caught_up``: it has been at the end of all partitions once. ``damaged``: a page could not read
    the index, so it is to be built again."""

    positions: dict[TopicPartition, int] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    failure: str | None = "Kafka has not answered yet"
    unreadable: dict[TopicPartition, str] = field(default_factory=dict)
    caught_up: bool = False
    damaged: bool = False

    @property
    def behind(self) -> int:
        """Records that are not in the index yet."""
        return sum(max(0, end - self.positions.get(at, 0)) for at, end in self.ends.items())

    @property
    def share(self) -> float:
        """How much of what there was to read is in the index."""
        whole = sum(self.ends.values())
        return 1.0 if not whole else 1 - self.behind / whole


@dataclass(frozen=True, slots=True)
class Layout:
    """The partitions of the four topics, and what the index is of."""

    partitions: Mapping[Topic, int]
    origin: Origin

    @property
    def events(self) -> int:
        return self.partitions[Topic.EVENTS]


async def layout(settings: KafkaSettings) -> Layout:
    """Raises KafkaError, TopicsError, NotAuthorized."""
    return await in_daemon_thread(_layout, settings)


def _layout(settings: KafkaSettings) -> Layout:
    check_rights(settings, "console", None, ANSWER_SECONDS)
    admin, names = TopicsAdmin(settings), topic_names(settings)
    cluster = admin.cluster(ANSWER_SECONDS)
    if missing := [name for name in names.values() if name not in cluster.topics]:
        raise TopicsError(no_topics(missing, settings.bootstrap_servers))
    identity = admin.identity(list(names.values()))
    origin = Origin(identity.cluster or settings.bootstrap_servers, dict(identity.topics))
    return Layout({each: cluster.topics[names[each]].partitions for each in Topic}, origin)


def topic_names(settings: KafkaSettings) -> Mapping[Topic, str]:
    topics = settings.topics
    return {
        Topic.EVENTS: topics.events,
        Topic.OUTCOMES: topics.outcomes,
        Topic.RETRIES: topics.retries,
        Topic.LETTERS: topics.dead_letters,
    }


class Follower:
    """Reads into one index for as long as its task runs."""

    def __init__(
        self,
        settings: KafkaSettings,
        index: Index,
        partitions: Mapping[Topic, int],
        progress: Progress,
        clock: Clock,
    ) -> None:
        self._settings, self._index, self._clock = settings, index, clock
        self._progress = progress
        names = topic_names(settings)
        self._topics = {name: topic for topic, name in names.items()}
        self._places = [
            TopicPartition(names[topic], number)
            for topic in Topic
            for number in range(partitions[topic])
        ]

    async def run(self) -> None:
        """Never returns; a Kafka that is away is asked again. Raises ConsoleError when the disk
        fails."""
        while True:
            try:
                await self._follow()
            except IndexDamaged as failure:
                log.warning("the index is built again: %s", failure)
                self._index.clear()
                self._progress.caught_up = self._progress.damaged = False
            except (aiokafka.errors.KafkaError, KafkaError) as failure:
                why = await why_not(self._settings) or foreign_text(repr(failure), REASON_LENGTH)
                if self._progress.failure != why:
                    log.warning("nothing is read from Kafka: %s", why)
                self._progress.failure = why
                await self._clock.sleep(TRY_AGAIN_SECONDS)

    async def _follow(self) -> None:
        consumer = aiokafka.AIOKafkaConsumer(
            **aiokafka_options(self._settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            max_poll_records=MOST_AT_ONCE,
        )
        try:
            await consumer.start()
            read_on(consumer, partial(_stands_still, self._progress))
            await self._begin(consumer)
            await self._read(consumer)
        finally:
            await consumer.stop()

    async def _begin(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        """Stand where the index ends. An index that has more than Kafka is of a log that was cut,
        and is built again."""
        progress = self._progress
        consumer.assign(self._places)
        begins = await consumer.beginning_offsets(self._places)
        progress.ends = dict(await consumer.end_offsets(self._places))
        known = self._known()
        if any(offset > progress.ends[at] for at, offset in known.items()):
            log.warning("a log was cut below what the index has: it is built again")
            self._index.clear()
            known = {}
        for at in self._places:
            progress.positions[at] = max(known.get(at, 0), begins[at])
            consumer.seek(at, progress.positions[at])
        progress.failure = None
        progress.unreadable.clear()

    def _known(self) -> dict[TopicPartition, int]:
        names = topic_names(self._settings)
        assigned = set(self._places)
        positions = {
            TopicPartition(names[topic], partition): offset
            for (topic, partition), offset in self._index.positions().items()
        }
        return {at: offset for at, offset in positions.items() if at in assigned}

    async def _read(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        progress, forgot_at = self._progress, -FORGET_EVERY_SECONDS
        while True:
            if progress.damaged:
                raise IndexDamaged("a page could not read it")
            batches = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=MOST_AT_ONCE)
            for at, batch in batches.items():
                await self._add(at, batch)
            for at in self._places:
                # What transactions and compaction leave out never comes as a record.
                progress.positions[at] = await consumer.position(at)
                if (end := consumer.highwater(at)) is not None:
                    progress.ends[at] = end
            progress.caught_up = progress.caught_up or not progress.behind
            if self._clock.monotonic() - forgot_at > FORGET_EVERY_SECONDS:
                forgot_at = self._clock.monotonic()
                await self._forget(consumer)

    async def _add(self, at: TopicPartition, batch: Sequence[aiokafka.ConsumerRecord]) -> None:
        if not batch:
            return
        if batch[0].offset < self._progress.positions[at]:
            raise IndexDamaged(f"{at.topic}/{at.partition} was cut below what it has")
        records = [
            RawRecord(
                each.topic,
                each.partition,
                each.offset,
                -1 if each.timestamp is None else each.timestamp,
                each.key,
                each.value,
                tuple(each.headers),
            )
            for each in batch
        ]
        topic = self._topics[at.topic]
        await asyncio.to_thread(
            self._index.apply, records, topic, at.partition, batch[-1].offset + 1
        )

    async def _forget(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        begins = await consumer.beginning_offsets(self._places)
        for at, begin in begins.items():
            topic = self._topics[at.topic]
            gone = await asyncio.to_thread(self._index.forget, topic, at.partition, begin)
            if gone:
                log.info("forgot %d records that Kafka has deleted", gone)
        now_ms = round(self._clock.time() * 1000)
        self._index.forget_counts(now_ms - MINUTES_KEPT_MS, now_ms - HOURS_KEPT_MS)


def _stands_still(
    progress: Progress, at: TopicPartition, lost: decoding.Unreadable, _: Sequence[int]
) -> None:
    why = f"offset {lost.first} can not be read: {foreign_text(lost.why, REASON_LENGTH)}"
    log.error("%s/%d: %s", at.topic, at.partition, why)
    progress.unreadable[at] = why
