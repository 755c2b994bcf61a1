"""A stretch of the ``events`` topic read again (``genesys-streams replay``).

Nothing of the live workers' is touched: no group is joined, no offset committed, no table opened,
and the API is only read. What is to be made good is sent back to them, as a dead letter is: a
second program that PATCHes would be one that they do not know of.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from streams.core.decision import Policy
from streams.core.records import Source
from streams.kafka.publisher import Publisher
from streams.kafka.reader import partitions_of, read_topic, time_of
from streams.operator.redrive import send_back
from streams.operator.replay.past import Past, Question, asks
from streams.settings import Settings, TopicNames
from streams.wire.outcomes import read_outcome
from streams.wire.reading import Unreadable, read_event

# `retry.reason` of a record that a replay has sent back.
REASON = "replay"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which records: those of ``since`` on, to before ``until``; epoch milliseconds of their time
    in Kafka."""

    since: int
    until: int | None = None


# Records that can not be read and are named; the others are counted. They are in the dead letters
# too, and a million of them would fill the memory and bury what is said beside them.
MOST_NAMED = 100


@dataclass(slots=True)
class UnreadRecords:
    """Those of one topic that can not be read. ``named``: the first of them, each its place and
    why, in one line."""

    number: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, topic: str, partition: int, offset: int, why: str) -> None:
        self.number += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(f"{topic}/{partition}/{offset}: {why}")


@dataclass(frozen=True, slots=True)
class Survey:
    """What there was: how many records, the interactions that were over by today's rules, the
    oldest first, and what became of them.

    ``unread_events``, ``unread_outcomes``: what could not be read, and so is not in the rest.
    """

    records: int
    questions: Sequence[Question]
    past: Past
    unread_events: UnreadRecords
    unread_outcomes: UnreadRecords

    @property
    def undecided(self) -> Sequence[Question]:
        """Without a code and without a final outcome: the live workers' still."""
        return [each for each in self._without_code if self.past.latest(each) is None]

    @property
    def asked(self) -> Sequence[Question]:
        """Decided then, and no code given: whether that would be so today the API knows."""
        return [each for each in self._without_code if self.past.latest(each) is not None]

    @property
    def _without_code(self) -> Sequence[Question]:
        return [each for each in self.questions if each.interaction_id not in self.past.coded]


async def survey(settings: Settings, stretch: Stretch, policy: Policy) -> Survey:
    """Read both topics. Some kilobyte of memory a call that was over. Raises KafkaError."""
    questions, records, unread_events = await _read_questions(settings, stretch, policy)
    past, unread_outcomes = Past(questions), UnreadRecords()
    topic = settings.topics.outcomes
    partitions = range(await partitions_of(settings, topic))
    reading = read_topic(settings, topic, partitions, since=stretch.since)
    async with aclosing(reading) as found:
        async for record in found:
            outcome = read_outcome(record.value)
            if isinstance(outcome, Unreadable):
                unread_outcomes.add(topic, record.partition, record.offset, outcome.why)
            else:
                past.add(outcome)
    return Survey(records, questions, past, unread_events, unread_outcomes)


async def _read_questions(
    settings: Settings, stretch: Stretch, policy: Policy
) -> tuple[Sequence[Question], int, UnreadRecords]:
    topic = settings.topics.events
    partitions = range(await partitions_of(settings, topic))
    questions: dict[str, Question] = {}
    records, unread = 0, UnreadRecords()
    reading = read_topic(settings, topic, partitions, since=stretch.since, until=stretch.until)
    async with aclosing(reading) as found:
        async for record in found:
            records += 1
            event = read_event(record.value)
            if isinstance(event, Unreadable):
                unread.add(topic, record.partition, record.offset, event.why)
                continue
            if event is None or event.interaction_id in questions:
                continue
            if asks(event, record.offset, policy):
                source = Source(topic, record.partition, record.offset)
                questions[event.interaction_id] = Question(
                    event.interaction_id, source, time_of(record), record.key, record.value
                )
    return sorted(questions.values(), key=lambda each: each.at), records, unread


async def make_good(
    question: Question,
    past: Past,
    sent: Container[tuple[Source, int]],
    publisher: Publisher,
    topics: TopicNames,
) -> bool:
    """Send the record back to its worker. False when it is there already and waits to be decided:
    ``sent`` is what has been sent back before, each with the how-manyth time. Raises PublishError.
    """
    times = past.next_time(question)
    if (question.source, times) in sent:
        return False
    await send_back(
        publisher,
        topics,
        question.source,
        key=question.key,
        value=question.value,
        reason=REASON,
        times=times,
    )
    return True
