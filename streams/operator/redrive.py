"""Sends dead letters back to where they are decided (``genesys-streams dead-letters redrive``).

A record of the worker's goes to ``retries``, with its place in ``events`` and its redrive count.
The worker decides it anew, whatever it has seen since, and drops a second copy of the same redrive.
A record that never was in ``events`` goes to ``events``: it comes from the bridge, or a stranger
put it into ``retries``. A redrive may be killed and run again.
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
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.operator.standing import by_death
from streams.wire.dead_letters import Letter, read_letter
from streams.wire.retries import UNSIGNED, Signed, read_returned, retry_headers


async def read_letters(settings: KafkaSettings, partitions: int) -> list[Letter]:
    """All dead letters, in the order in which they died. Raises KafkaError."""
    topic = settings.topics.dead_letters
    async with aclosing(read_topic(settings, topic, range(partitions))) as records:
        return by_death(
            [
                read_letter(each.partition, each.offset, each.key, each.value, each.headers)
                async for each in records
            ]
        )


async def read_sent(settings: KafkaSettings, partitions: int) -> frozenset[tuple[Source, int]]:
    """The (source, redrive count) pairs of the records in ``retries`` that were redriven."""
    sent = set()
    topic = settings.topics.retries
    async with aclosing(read_topic(settings, topic, range(partitions))) as records:
        async for record in records:
            # A null has no text to read, so a header with a null is ignored.
            headers = [(name, text) for name, text in record.headers if text is not None]
            try:
                returned = read_returned(headers)
            except EnvelopeError:
                continue  # not ours: the worker makes it a dead letter
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
    signed: Signed = UNSIGNED,
) -> AsyncGenerator[Letter]:
    """Send the letters back in their order; each is acknowledged before the next one is sent.
    ``signed``: who does so, and what for.

    Yields each letter once it is sent. Raises PublishError.
    """
    due = clock.monotonic()
    for letter in letters:
        if (wait := due - clock.monotonic()) > 0:
            await clock.sleep(wait)
        due = max(due, clock.monotonic()) + 1 / per_second
        if letter.source is None or letter.source.topic != topics.events:
            assert letter.interaction_id is not None, "sorted out before"
            key = letter.interaction_id.encode()
            headers = signed.headers()
            await publisher.publish(Message(topics.events, key, letter.value, headers))
        else:
            await redrive_record(
                publisher,
                topics,
                letter.source,
                key=letter.key,
                value=letter.value,
                reason=letter.reason,
                times=letter.redriven + 1,
                signed=signed,
            )
        yield letter


async def redrive_record(
    publisher: Publisher,
    topics: TopicNames,
    source: Source,
    *,
    key: bytes | None,
    value: bytes | None,
    reason: str,
    times: int,
    replayed: bool = False,
    signed: Signed = UNSIGNED,
) -> None:
    """Send a record of ``events`` back to its worker, to be decided anew for the ``times``-th time.
    ``replayed``: and with it every leg of its conversation, not only those that have failed.

    It goes to the partition of ``retries`` with its own partition's number, because its table is
    there. Raises PublishError.
    """
    message = Message(
        topics.retries,
        key=key,
        value=value,
        headers=[
            *retry_headers(source, PutOff(0, 0), reason, redriven=times, replayed=replayed),
            *signed.headers(),
        ],
        partition=source.partition,
    )
    await publisher.publish(message)
