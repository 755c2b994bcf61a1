"""A stretch of the ``events`` topic read again (``genesys-streams replay``).

Nothing of the live workers' is touched: no group is joined, no offset committed, no table opened,
and the API is only read. What is to be made good is sent back to them, as a dead letter is: a
second program that PATCHes would be one that they do not know of.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from streams.dead_letters.redrive import send_back
from streams.decision import Policy
from streams.envelope import InteractionEvent, parse
from streams.errors import EnvelopeError
from streams.kafka.publisher import Publisher
from streams.kafka.reader import partitions_of, read_topic
from streams.records import Source, decode_outcome
from streams.replay.past import Past, Question, asks
from streams.settings import Settings, TopicNames

# `retry.reason` of a record that a replay has sent back.
REASON = "replay"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which records: those of ``since`` on, to before ``until``; epoch milliseconds of their time
    in Kafka."""

    since: int
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What there was: how many records, the interactions that were over by today's rules, the
    oldest first, and what became of them."""

    records: int
    questions: Sequence[Question]
    past: Past

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
    questions, records = await _read_questions(settings, stretch, policy)
    past = Past(questions)
    topic = settings.topics.outcomes
    partitions = range(await partitions_of(settings, topic))
    reading = read_topic(settings, topic, partitions, since=stretch.since)
    async with aclosing(reading) as found:
        async for record in found:
            try:
                past.add(decode_outcome(record.value or b""))
            except msgspec.DecodeError:
                continue  # not one of ours
    return Survey(records, questions, past)


async def _read_questions(
    settings: Settings, stretch: Stretch, policy: Policy
) -> tuple[Sequence[Question], int]:
    topic = settings.topics.events
    partitions = range(await partitions_of(settings, topic))
    questions: dict[str, Question] = {}
    records = 0
    reading = read_topic(settings, topic, partitions, since=stretch.since, until=stretch.until)
    async with aclosing(reading) as found:
        async for record in found:
            records += 1
            event = _event(record.value)
            if event is None or event.interaction_id in questions:
                continue
            if asks(event, record.offset, policy):
                source = Source(topic, record.partition, record.offset)
                questions[event.interaction_id] = Question(
                    event.interaction_id, source, record.timestamp, record.key, record.value
                )
    return sorted(questions.values(), key=lambda each: each.at), records


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


def _event(value: bytes | None) -> InteractionEvent | None:
    try:
        return parse(value or b"")
    except EnvelopeError:
        return None
