"""Makes an aiokafka consumer read on after a batch that it can not read.

aiokafka raises for such a batch, out of the call that should bring the records of the other
partitions, and does so again at every start. It asks a broker that reports a corrupt disk again for
ever. When a batch is too large for it, it raises too, and goes on one offset further (all three:
tests/unit/libraries/test_aiokafka.py). Here, the partition is paused before the bytes that can not
be read, and this is reported once, with their place. The offsets that an operator has named are
passed over (shown by test_fetching.py).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import aiokafka
import aiokafka.errors
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult, OffsetResetStrategy, PartitionRecords

from streams.kafka.batches import Batch, read_batches
from streams.kafka.decoding import Items, Record, Unreadable

log = logging.getLogger(__name__)

# Version of the fetch request in Kafka 0.11. Answers to older versions may have a part of a batch.
_OLDEST_FETCH = 4

# The number of fields behind LastStableOffset: LogStartOffset, AbortedTransactions,
# PreferredReadReplica, Records. Older versions have no PreferredReadReplica, and the oldest of them
# no LogStartOffset.
_ANSWER_OF_VERSION_11 = 4

_CORRUPT_DISK = "the broker says that its own disk is corrupt there"

# These errors say that another broker leads the partition now, or soon will.
_MOVED = (
    aiokafka.errors.NotLeaderForPartitionError,
    aiokafka.errors.UnknownTopicOrPartitionError,
)

Skipped = Collection[tuple[str, int, int]]

# Called once for each place: with the bytes that can not be read, and with those of their offsets
# that SKIP_RECORDS does not name yet.
OnUnreadable = Callable[[TopicPartition, Unreadable, Sequence[int]], None]


def read_on(
    consumer: aiokafka.AIOKafkaConsumer, on_unreadable: OnUnreadable, skipped: Skipped = ()
) -> None:
    """From now on this consumer never raises because of a record's bytes. It must have started.

    A partition is paused where it can not be read. For each unreadable offset named in ``skipped``
    the consumer gives a record without key, headers and time. The first of the offsets that can not
    be read has their bytes as its value; the others have no value.
    """
    fetcher = consumer._fetcher
    fetcher._proc_fetch_request = _Fetching(fetcher, on_unreadable, skipped).fetch


class _Fetching:
    """The part of aiokafka's fetcher that sends a request and keeps its records."""

    def __init__(self, fetcher: Any, on_unreadable: OnUnreadable, skipped: Skipped) -> None:
        self._fetcher = fetcher
        self._on_unreadable = on_unreadable
        self._skipped = skipped
        self._reported: set[tuple[TopicPartition, int]] = set()

    async def fetch(self, assignment: Any, node_id: int, request: Any) -> bool:
        """Send one fetch request and keep its records; True if a waiting reader should wake up.
        Replaces aiokafka's ``_proc_fetch_request``."""
        try:
            response = await self._fetcher._client.send(node_id, request)
        except aiokafka.errors.KafkaError as failure:
            log.warning("no fetch from broker %s: %r", node_id, failure)
            # aiokafka cancels this task when it closes, and expects it to end without an error.
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(self._fetcher._retry_backoff)
            return False
        except asyncio.CancelledError:
            return False  # as in aiokafka: it was closed, or the partitions were revoked
        if not assignment.active:
            return False
        if response.API_VERSION < _OLDEST_FETCH:
            raise aiokafka.errors.IncompatibleBrokerVersion("Kafka 0.11 or newer is needed")
        asked = {
            TopicPartition(topic, partition): offset
            for topic, partitions in request.topics
            for partition, offset, _ in partitions
        }
        news = False
        for topic, partitions in response.topics:
            for partition, error, *answer in partitions:
                place = TopicPartition(topic, partition)
                state = assignment.state_value(place)
                if not state.has_valid_position or state.position != asked[place]:
                    continue  # a seek has changed the position meanwhile
                if error == 0:
                    news |= self._answered(assignment, place, state, *answer)
                else:
                    news |= self._refused(assignment, place, state, aiokafka.errors.for_code(error))
        return news

    def _answered(
        self,
        assignment: Any,
        place: TopicPartition,
        state: Any,
        end: int,
        stable: int,
        *answer: Any,
    ) -> bool:
        """The broker answered without an error; True if it has sent records.

        ``end``: the high watermark. ``stable``: the last stable offset; no open transaction can
        abort records before it. ``answer``: the fields behind that one. The aborted transactions
        are its second field from version 11 on, and its last but one before.
        """
        state.highwater, state.lso, state.timestamp = end, stable, int(time.time() * 1000)
        aborted = answer[1] if len(answer) == _ANSWER_OF_VERSION_11 else answer[-2]
        fetched = bytes(answer[-1] or b"")
        if not fetched:
            return False
        self._keep(assignment, place, state, read_batches(fetched, state.position, end), aborted)
        return True

    def _keep(
        self,
        assignment: Any,
        place: TopicPartition,
        state: Any,
        batches: Iterator[Batch],
        aborted: Any,
    ) -> None:
        """Keep the batches for the next call that asks for this partition's records."""
        fetcher, position = self._fetcher, state.position
        fetcher._records[place] = FetchResult(
            place,
            partition_records=PartitionRecords(
                place,
                _Runs(self._runs(place, batches, position)),
                aborted,
                position,
                None,
                None,
                False,  # read_batches has checked the checksums
                fetcher._isolation_level,
            ),
            assignment=assignment,
            backoff=fetcher._prefetch_backoff,
        )

    def _refused(
        self,
        assignment: Any,
        place: TopicPartition,
        state: Any,
        error: type[aiokafka.errors.KafkaError],
    ) -> bool:
        """The broker answered with an error for this partition."""
        fetcher = self._fetcher
        fetcher._preferred_read_replica.pop(place, None)
        if error is aiokafka.errors.CorruptRecordException:
            lost = Unreadable(state.position, state.position, b"", _CORRUPT_DISK)
            self._keep(assignment, place, state, iter([Batch(lost.first, lost.last, [lost])]), None)
            return True
        if error is aiokafka.errors.TopicAuthorizationFailedError:
            fetcher._set_error(place, error(place.topic))
            return True
        if error is aiokafka.errors.OffsetOutOfRangeError:
            strategy = fetcher._default_reset_strategy
            if strategy == OffsetResetStrategy.NONE:
                fetcher._set_error(place, error({place: state.position}))
                return True
            log.warning(
                "%s/%s has no offset %s: it is read from %s",
                *(*place, state.position, OffsetResetStrategy.to_str(strategy)),
            )
            state.await_reset(strategy)
            return False
        if error in _MOVED:
            fetcher._client.force_metadata_update()
        else:
            log.warning("the broker does not give %s/%s: %s", *place, error.__name__)
        return False

    def _runs(
        self, place: TopicPartition, batches: Iterator[Batch], position: int
    ) -> Iterator[_Run]:
        """The records that can be read, with an empty record in the place of each skipped offset.
        Ends before the first offset that can neither be read nor skipped."""
        for batch in batches:
            run: list[Any] = []
            for item in batch.items:
                if not isinstance(item, Unreadable):
                    run.append(item)
                    continue
                if item.last < position:
                    continue
                offsets = range(max(item.first, position), item.last + 1)
                unnamed = [each for each in offsets if (*place, each) not in self._skipped]
                if unnamed:
                    yield _Run(batch, offsets[0], run)
                    self._stand_still(place, item, unnamed)
                    return
                run += (_passed_over(item, offset) for offset in offsets)
            yield _Run(batch, batch.last + 1, run)

    def _stand_still(self, place: TopicPartition, lost: Unreadable, unnamed: Sequence[int]) -> None:
        # Without the pause, the consumer would fetch the same bytes again and again.
        self._fetcher._subscriptions.pause(place)
        if (place, lost.first) not in self._reported:
            self._reported.add((place, lost.first))
            self._on_unreadable(place, lost, unnamed)


def _passed_over(lost: Unreadable, offset: int) -> Record:
    return Record(offset, 0, 0, None, lost.content if offset == lost.first else None, ())


class _Run:
    """Records in the shape in which aiokafka's loop takes one batch. ``next_offset``: the offset to
    read on from."""

    def __init__(self, batch: Batch, next_offset: int, records: Items) -> None:
        self.base_offset = batch.first
        self.next_offset = next_offset
        self.producer_id = batch.producer_id
        self.is_transactional = batch.is_transactional
        self.is_control_batch = batch.is_control_batch
        self._records = iter(records)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._records)


class _Runs:
    """Batches in the shape in which aiokafka's loop takes the records of one fetch."""

    def __init__(self, runs: Iterator[_Run]) -> None:
        self._runs = runs
        self._next: _Run | None = None

    def has_next(self) -> bool:
        self._next = next(self._runs, None)
        return self._next is not None

    def next_batch(self) -> _Run | None:
        return self._next
