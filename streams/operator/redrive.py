"""Dead letters back to where they are decided (``genesys-streams dead-letters redrive``).

A record of the worker's goes to ``retries``, with its place in ``events`` and how often it was sent
back: the worker decides it anew, whatever it has seen since, and twice the same is dropped. What
never was in ``events``, the bridge's and what a stranger put into ``retries``, goes there. Safe to
be killed and run again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from streams.clock import Clock
from streams.core.records import PutOff, Source
from streams.errors import EnvelopeError
from streams.kafka.message import Message
from streams.kafka.publisher import Publisher
from streams.kafka.reader import read_topic
from streams.settings import Settings, TopicNames
from streams.wire.dead_letters import Letter, read_letter
from streams.wire.retries import read_returned, retry_headers


async def read_letters(settings: Settings, partitions: int) -> list[Letter]:
    """Every dead letter there is, in order. Raises KafkaError."""
    topic = settings.topics.dead_letters
    async with aclosing(read_topic(settings, topic, range(partitions))) as records:
        return [
            read_letter(each.partition, each.offset, each.key, each.value, each.headers)
            async for each in records
        ]


async def read_sent(settings: Settings, partitions: int) -> frozenset[tuple[Source, int]]:
    """What is in ``retries`` because it was sent back: its source, and the number of times."""
    sent = set()
    topic = settings.topics.retries
    async with aclosing(read_topic(settings, topic, range(partitions))) as records:
        async for record in records:
            # A null has no text to read, so such a header is as good as none.
            headers = [(name, text) for name, text in record.headers if text is not None]
            try:
                returned = read_returned(headers)
            except EnvelopeError:
                continue  # somebody else's: the worker buries it
            if returned.redriven:
                sent.add((returned.source, returned.redriven))
    return frozenset(sent)


async def redrive(
    letters: Iterable[Letter],
    publisher: Publisher,
    topics: TopicNames,
    clock: Clock,
    *,
    per_second: float,
) -> AsyncGenerator[Letter]:
    """Send them back one after the other, each acknowledged before the next, so in their order.

    Yields each once it is sent. Raises PublishError.
    """
    due = clock.monotonic()
    for letter in letters:
        if (wait := due - clock.monotonic()) > 0:
            await clock.sleep(wait)
        due = max(due, clock.monotonic()) + 1 / per_second
        if letter.source is None or letter.source.topic != topics.events:
            assert letter.interaction_id is not None, "sorted out before"
            key = letter.interaction_id.encode()
            await publisher.publish(Message(topics.events, key=key, value=letter.value))
        else:
            await send_back(
                publisher,
                topics,
                letter.source,
                key=letter.key,
                value=letter.value,
                reason=letter.reason,
                times=letter.redriven + 1,
            )
        yield letter


async def send_back(
    publisher: Publisher,
    topics: TopicNames,
    source: Source,
    *,
    key: bytes | None,
    value: bytes | None,
    reason: str,
    times: int,
) -> None:
    """A record of ``events`` back to its worker, to be decided anew for the ``times``-th time.

    To the partition of ``retries`` with its own number: its table is there. Raises PublishError.
    """
    message = Message(
        topics.retries,
        key=key,
        value=value,
        headers=retry_headers(source, PutOff(0, 0), reason, redriven=times),
        partition=source.partition,
    )
    await publisher.publish(message)
