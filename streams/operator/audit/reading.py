"""Reads from Kafka all that an audit looks at. Joins no group and commits nothing.

The order is the proof, while workers go on. The committed offsets come first: what was finished
before is in every topic by the time that it is read. Dead letters are read behind the outcomes that
they belong to, then what was put off, and events last: no outcome can name a record that is not
there by then.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord, TopicPartition

from streams.clock import Clock
from streams.core.records import CUT, Decision, Reason
from streams.errors import EnvelopeError
from streams.kafka.admin import TopicsAdmin
from streams.kafka.committed import Committed, committed_offsets
from streams.kafka.partitioner import partition_of
from streams.kafka.reader import bounds_of, partitions_of, read_topic, time_of
from streams.kafka.settings import KafkaSettings
from streams.operator.audit.evidence import Evidence
from streams.operator.audit.judge import Facts
from streams.operator.audit.kept import EDGE_MS, Kept, is_kept, latest
from streams.operator.audit.ranges import Range
from streams.stopping import in_daemon_thread
from streams.wire.dead_letters import read_letter
from streams.wire.outcomes import Outcome, read_outcome
from streams.wire.retries import Returned, read_returned

# Called for each record that was read.
Progress = Callable[[str], None]

Skipped = set[tuple[str, int, int]]


@dataclass(slots=True)
class Read:
    """What was read: ``ranges`` by topic and partition, and where the group stood before.
    ``unreadable``: outcomes that no version of this program wrote."""

    committed: Mapping[TopicPartition, Committed]
    partitions: Mapping[str, int]
    ranges: dict[tuple[str, int], Range] = field(default_factory=dict)
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which records of events are judged, by their time in Kafka: from ``since`` on and before
    ``until``, epoch milliseconds; None for no limit."""

    since: int | None = None
    until: int | None = None

    @property
    def whole(self) -> bool:
        return self.since is None and self.until is None

    @property
    def reads_since(self) -> int | None:
        """From when on the other topics are read: all that became of a record is younger than it,
        by clocks that may differ."""
        return None if self.since is None else self.since - EDGE_MS

    def has(self, at: int) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


class AuditReader:
    """``skipped``: the records that SKIP_RECORDS names. Those that outcomes and dead letters say
    were skipped are found out."""

    def __init__(
        self,
        settings: KafkaSettings,
        stretch: Stretch,
        clock: Clock,
        progress: Progress,
        skipped: frozenset[tuple[str, int, int]] = frozenset(),
    ) -> None:
        self._settings = settings
        self._topics = settings.topics
        self._stretch = stretch
        self._clock = clock
        self._progress = progress
        self._skipped: Skipped = set(skipped)
        self._configs: Mapping[str, Mapping[str, str]] = {}

    async def look(self) -> Read:
        """Where the group stands: before any record is read. Raises TopicsError, KafkaError."""
        topics = self._topics
        names = (topics.events, topics.outcomes, topics.retries, topics.dead_letters)
        partitions = {name: await partitions_of(self._settings, name) for name in names}
        both = {name: partitions[name] for name in (topics.events, topics.retries)}
        committed = await committed_offsets(self._settings, both)
        self._configs = await in_daemon_thread(configs, self._settings, names[1:])
        return Read(committed, partitions)

    def cut(self, read: Read) -> Mapping[int, str]:
        """The life of each partition of events whose log was cut, as the group has committed it."""
        return {
            at.partition: each.metadata
            for at, each in read.committed.items()
            if at.topic == self._topics.events and CUT in each.metadata
        }

    async def take(self, read: Read, evidence: Evidence) -> Facts:
        """Read all topics into the evidence. Raises KafkaError, AuditError."""
        topics = self._topics
        await self._outcomes(read, evidence)
        outcomes = self._kept(read, topics.outcomes)
        await self._letters(read, evidence)
        await self._returns(read, evidence, outcomes)
        returns = self._kept(read, topics.retries)
        bounds = await bounds_of(
            self._settings, topics.events, range(read.partitions[topics.events])
        )
        await self._events(read, evidence, outcomes, returns)
        kept_all = self._stretch.whole and latest(returns) is None
        evidence.number_redrives(kept_all=kept_all)
        return Facts(
            bounds,
            _offsets(read, topics.events),
            _offsets(read, topics.retries),
            latest(self._kept(read, topics.dead_letters)),
            self._stretch.whole,
        )

    async def _outcomes(self, read: Read, evidence: Evidence) -> None:
        topic = self._topics.outcomes
        async with aclosing(self._read(read, topic, since=self._stretch.reads_since)) as records:
            async for record in records:
                outcome = read_outcome(record.value)
                if not isinstance(outcome, Outcome):
                    read.unreadable += 1
                    continue
                if (outcome.decision, outcome.reason) == (Decision.FAILED, Reason.SKIPPED):
                    source = outcome.source
                    self._skipped.add((source.topic, source.partition, source.offset))
                evidence.take_outcome(record.partition, record.offset, time_of(record), outcome)

    async def _letters(self, read: Read, evidence: Evidence) -> None:
        topic = self._topics.dead_letters
        async with aclosing(self._read(read, topic, since=self._stretch.reads_since)) as records:
            async for record in records:
                letter = read_letter(
                    record.partition, record.offset, record.key, record.value, record.headers
                )
                if letter.reason == Reason.SKIPPED and letter.source is not None:
                    source = letter.source
                    self._skipped.add((source.topic, source.partition, source.offset))
                evidence.take_letter(letter, time_of(record))

    async def _returns(
        self, read: Read, evidence: Evidence, outcomes: Mapping[int, int | None]
    ) -> None:
        topic = self._topics.retries
        async with aclosing(self._read(read, topic, since=self._stretch.reads_since)) as records:
            async for record in records:
                at = time_of(record)
                judged = self._stretch.has(at) and is_kept(at, _of_key(record.key, outcomes))
                evidence.take_returned(
                    record.partition,
                    record.offset,
                    record.key,
                    record.value,
                    _returned(record.headers),
                    judged=judged,
                )

    async def _events(
        self,
        read: Read,
        evidence: Evidence,
        outcomes: Mapping[int, int | None],
        returns: Mapping[int, int | None],
    ) -> None:
        stretch = self._stretch
        reading = self._read(read, self._topics.events, since=stretch.since, until=stretch.until)
        async with aclosing(reading) as records:
            async for record in records:
                kept = _of_key(record.key, outcomes), returns.get(record.partition)
                evidence.take_event(
                    record.partition,
                    record.offset,
                    record.key,
                    record.value,
                    judged=is_kept(time_of(record), *kept),
                )

    async def _read(
        self, read: Read, topic: str, *, since: int | None, until: int | None = None
    ) -> AsyncGenerator[ConsumerRecord]:
        """The records of a topic, with its ranges noted."""
        numbers = range(read.partitions[topic])
        bounds = await bounds_of(self._settings, topic, numbers)
        ranges = [Range(topic, number, *bounds[number]) for number in numbers]
        read.ranges |= {(topic, each.partition): each for each in ranges}
        reading = read_topic(
            self._settings, topic, numbers, since=since, until=until, skipped=self._skipped
        )
        async with aclosing(reading) as records:
            async for record in records:
                ranges[record.partition].take(record.offset, time_of(record))
                self._progress(topic)
                yield record

    def _kept(self, read: Read, topic: str) -> Mapping[int, int | None]:
        """From when on each partition of the topic has all its records."""
        now_ms, config = round(self._clock.time() * 1000), self._configs.get(topic, {})
        return {
            each.partition: Kept(each.begin, each.first_at).since(config, now_ms)
            for (name, _), each in read.ranges.items()
            if name == topic
        }


def _of_key(key: bytes | None, kept: Mapping[int, int | None]) -> int | None:
    """From when on the partition has all its records in which the outcomes of this key are. Those
    of a record without a key may be in any one."""
    return latest(kept) if key is None else kept[partition_of(key, len(kept))]


def _offsets(read: Read, topic: str) -> Mapping[int, int]:
    return {at.partition: each.offset for at, each in read.committed.items() if at.topic == topic}


def configs(settings: KafkaSettings, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """The configuration of these topics; none on a broker without any. Raises KafkaError."""
    admin = TopicsAdmin(settings)
    topics = admin.configured(admin.cluster(), names).topics
    return {name: topics[name].config or {} for name in names if name in topics}


def _returned(headers: Sequence[tuple[str, bytes | None]]) -> Returned | None:
    try:
        return read_returned([(name, text) for name, text in headers if text is not None])
    except EnvelopeError:
        return None
