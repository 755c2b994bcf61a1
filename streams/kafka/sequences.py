"""Keeps a partition open to an idempotent producer one of whose batches was refused.

Such a producer numbers the records of each partition, and a broker takes none behind a gap.
aiokafka gives the numbers when it takes a batch up, and never takes them back: behind a batch that
was refused, the broker answers all that follow with OutOfOrderSequenceNumber, for as long as the
producer lives (tests/kafka/test_refused.py; aio-libs/aiokafka#1017 has the same symptom).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiokafka.errors import (
    KafkaError,
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

# What a broker refuses before it writes anything, and what aiokafka says of a batch for which there
# was no leader for too long, so that it was not sent at all.
_NEVER_WRITTEN = (
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


def keep_whole(accumulator: Any, numbers: Any, on_gap: Callable[[], None]) -> None:
    """Have aiokafka's accumulator take back the numbers of each batch that fails and was never
    written. ``numbers``: its TransactionManager. ``on_gap``: called where that is not known, before
    the batch fails: the producer can send nothing more to the partition.
    """
    pop = accumulator._pop_batch

    def pop_batch(partition: Any) -> Any:
        first = numbers.sequence_number(partition)
        batch = pop(partition)
        if batch.retry_count == 1:
            fail = batch.failure

            def failure(exception: KafkaError) -> None:
                if not batch.future.done():
                    # One that was sent before may have been written then. Its numbers would be
                    # those of the next batch, which the broker would take for the same one.
                    if batch.retry_count == 1 and isinstance(exception, _NEVER_WRITTEN):
                        # No later batch has numbers yet: of a partition one is under way at a time.
                        numbers._sequence_numbers[partition] = first
                    else:
                        on_gap()
                fail(exception)

            batch.failure = failure
        return batch

    accumulator._pop_batch = pop_batch
