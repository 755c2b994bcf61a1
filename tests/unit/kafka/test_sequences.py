"""The numbers of a partition's records, after a batch that has failed for good."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition, errors
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.transaction_manager import TransactionManager

from streams.kafka.sequences import keep_whole

PARTITION = TopicPartition("events", 0)

NEVER_WRITTEN = [
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.TopicAuthorizationFailedError,
]
PERHAPS_WRITTEN = [errors.UnknownError, errors.InvalidProducerEpoch, errors.CorrelationIdError]


class Producer:
    """aiokafka's queue and numbers, and what the sender does with them. ``gaps``: how often a
    partition was lost."""

    def __init__(self, ttl: float = 40.0) -> None:
        self.leader = 1
        self.gaps = 0
        self.numbers = TransactionManager(None, 1000)
        self.numbers.set_pid_and_epoch(7, 0)
        self.queue = MessageAccumulator(self, 500_000, 0, ttl, txn_manager=self.numbers)
        keep_whole(self.queue, self.numbers, self._gap)

    def leader_for_partition(self, _: TopicPartition) -> int:
        return self.leader

    def _gap(self) -> None:
        self.gaps += 1

    async def add(self, records: int) -> None:
        """One batch, in which so many records are."""
        for _ in range(records):
            sent = await self.queue.add_message(PARTITION, b"i-1", b"value", timeout=1)
            sent.add_done_callback(lambda done: done.exception())  # or asyncio complains of it

    def take_up(self) -> Any:
        nodes, _ = self.queue.drain_by_nodes(set())
        return nodes[1][PARTITION]

    @property
    def next(self) -> int:
        return int(self.numbers.sequence_number(PARTITION))


@pytest.fixture
async def producer() -> Producer:
    producer = Producer()
    await producer.add(3)
    producer.take_up().done(0)
    assert producer.next == 3
    return producer


@pytest.mark.parametrize("refusal", NEVER_WRITTEN)
async def test_a_batch_that_was_never_written_gives_its_numbers_back(
    producer: Producer, refusal: type[Exception]
) -> None:
    await producer.add(2)
    batch = producer.take_up()
    assert producer.next == 5

    batch.failure(refusal())

    assert isinstance(batch.future.exception(), refusal)
    assert (producer.next, producer.gaps) == (3, 0)


@pytest.mark.parametrize("failure", PERHAPS_WRITTEN)
async def test_one_that_may_have_been_written_is_a_gap(
    producer: Producer, failure: type[Exception]
) -> None:
    await producer.add(2)

    producer.take_up().failure(failure())

    assert (producer.next, producer.gaps) == (5, 1)


@pytest.mark.parametrize("refusal", NEVER_WRITTEN)
async def test_so_is_one_that_was_sent_before(producer: Producer, refusal: type[Exception]) -> None:
    """With its numbers the next batch would pass for it, and be acknowledged without a word."""
    await producer.add(2)
    producer.queue.reenqueue(producer.take_up())
    again = producer.take_up()

    again.failure(refusal())

    assert (producer.next, producer.gaps) == (5, 1)


async def test_one_that_found_no_leader_in_time_was_not_sent() -> None:
    producer = Producer(ttl=-1.0)
    await producer.add(2)
    producer.leader = -1

    producer.queue.drain_by_nodes(set())

    assert (producer.next, producer.gaps) == (0, 0)


async def test_one_that_has_ended_fails_no_more(producer: Producer) -> None:
    await producer.add(2)
    batch = producer.take_up()
    batch.done(3)

    batch.failure(errors.MessageSizeTooLargeError())

    assert (producer.next, producer.gaps) == (5, 0)
