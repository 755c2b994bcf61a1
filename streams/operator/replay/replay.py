"""Reads a stretch of the ``events`` topic again (``genesys-streams replay``).

It leaves the live workers alone: it joins no group, commits no offset, opens no table, and only
reads from the API. A record that needs its code is redriven, as a dead letter is, so that
its worker PATCHes: no worker would know of the PATCHes of a second program.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from streams.core.conversations.record import ConversationRecord
from streams.core.event import Event
from streams.core.records import Source
from streams.kafka.partitioner import partition_of
from streams.kafka.publisher import Publisher
from streams.kafka.reader import partitions_of, read_topic, time_of
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.operator.audit.kept import EDGE_MS
from streams.operator.redrive import redrive_record
from streams.operator.replay.past import Past, Question, Reading
from streams.wire.outcomes import read_outcome
from streams.wire.reading import Unreadable, read_event
from streams.wire.retries import BY_REPLAY


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which records: those from ``since`` on and before ``until``, in epoch milliseconds of their
    time in Kafka. ``interaction_id``: those of one interaction alone; None for all."""

    since: int
    until: int | None = None
    interaction_id: str | None = None

    @property
    def outcomes_since(self) -> int:
        """From when on outcomes are read: a worker whose clock is behind says that it decided an
        event before it came, and without that outcome the call would be left to the workers."""
        return self.since - EDGE_MS

    def has(self, key: bytes | None) -> bool:
        """Whether a record of which nothing but the key can be read is one of them."""
        return self.interaction_id is None or key == self.interaction_id.encode()

    def partitions(self, number: int) -> Sequence[int]:
        """Which of that many partitions have these records: for one interaction that which follows
        from its key."""
        if self.interaction_id is None:
            return range(number)
        return [partition_of(self.interaction_id.encode(), number)]


# How many unreadable records are named; the others are only counted. They are in the dead letters
# too, and the names of a million of them would fill the memory and hide the other output.
MOST_NAMED = 100


@dataclass(slots=True)
class UnreadRecords:
    """The records of one topic that can not be read. ``named``: the first of them, one line each
    with place and reason."""

    number: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, topic: str, partition: int, offset: int, why: str) -> None:
        self.number += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(f"{topic}/{partition}/{offset}: {why}")


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found: the number of records, the interactions that were over by today's rules
    (oldest first), and what became of them.

    ``unread_events``, ``unread_outcomes``: the records that could not be read, so nothing is known
    of their content.
    """

    records: int
    questions: Sequence[Question]
    past: Past
    unread_events: UnreadRecords
    unread_outcomes: UnreadRecords

    @property
    def coded(self) -> Sequence[Question]:
        """Questions that were given their code."""
        return [each for each in self.questions if self.past.has_code(each)]

    @property
    def undecided(self) -> Sequence[Question]:
        """Questions without a code and without a final outcome: the live workers still have to
        decide them."""
        return [each for each in self._without_code if self.past.latest(each) is None]

    @property
    def asked(self) -> Sequence[Question]:
        """Questions that were decided then without giving a code. Only the API knows whether they
        would be today."""
        return [each for each in self._without_code if self.past.latest(each) is not None]

    @property
    def _without_code(self) -> Sequence[Question]:
        return [each for each in self.questions if not self.past.has_code(each)]


async def survey(settings: KafkaSettings, stretch: Stretch, dialect: Reading) -> Survey:
    """Read both topics. Takes some kilobytes of memory for each call that was over. Raises
    KafkaError."""
    questions, records, unread_events = await _read_questions(settings, stretch, dialect)
    past, unread_outcomes = Past(questions), UnreadRecords()
    topic = settings.topics.outcomes
    partitions = stretch.partitions(await partitions_of(settings, topic))
    reading = read_topic(settings, topic, partitions, since=stretch.outcomes_since)
    async with aclosing(reading) as found:
        async for record in found:
            outcome = read_outcome(record.value)
            if isinstance(outcome, Unreadable):
                if stretch.has(record.key):
                    unread_outcomes.add(topic, record.partition, record.offset, outcome.why)
            else:
                past.add(outcome)
    return Survey(records, questions, past, unread_events, unread_outcomes)


async def _read_questions(
    settings: KafkaSettings, stretch: Stretch, dialect: Reading
) -> tuple[Sequence[Question], int, UnreadRecords]:
    topic = settings.topics.events
    partitions = stretch.partitions(await partitions_of(settings, topic))
    questions: dict[str, Question] = {}
    told: dict[str, ConversationRecord] = {}
    records, unread = 0, UnreadRecords()
    reading = read_topic(settings, topic, partitions, since=stretch.since, until=stretch.until)
    async with aclosing(reading) as found:
        async for record in found:
            event = read_event(record.value, dialect.parse)
            if not _is_of(stretch, record.key, event):
                continue
            records += 1
            if isinstance(event, Unreadable):
                unread.add(topic, record.partition, record.offset, event.why)
                continue
            if event is None:
                continue
            known = dialect.told(told.get(event.interaction_id), event)
            if known is not None:
                told[event.interaction_id] = known
            if event.interaction_id not in questions and dialect.asks(event, record.offset):
                source = Source(topic, record.partition, record.offset)
                questions[event.interaction_id] = Question(
                    event.interaction_id, source, time_of(record), record.key, record.value
                )
    asked = [replace(each, told=told.get(each.interaction_id)) for each in questions.values()]
    return sorted(asked, key=lambda each: each.at), records, unread


def _is_of(stretch: Stretch, key: bytes | None, event: Event | Unreadable | None) -> bool:
    if event is None or isinstance(event, Unreadable):
        return stretch.has(key)
    return stretch.interaction_id in (None, event.interaction_id)


async def redrive_question(
    question: Question,
    past: Past,
    sent: Container[tuple[Source, int]],
    publisher: Publisher,
    topics: TopicNames,
) -> bool:
    """Send the record back to its worker. Returns False when it was redriven already and waits to
    be decided.

    ``sent``: the (source, redrive count) pairs that were redriven before. Raises PublishError.
    """
    times = past.next_time(question)
    if (question.source, times) in sent:
        return False
    await redrive_record(
        publisher,
        topics,
        question.source,
        key=question.key,
        value=question.value,
        reason=BY_REPLAY,
        times=times,
        replayed=True,
    )
    return True
