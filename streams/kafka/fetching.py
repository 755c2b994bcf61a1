"""Has an aiokafka consumer read whatever a fetch brings, and pass over what an operator has named.

aiokafka raises for a batch that it can not read, out of the call that was to bring the other
partitions' records, and does so at every start; a broker that says that its own disk is corrupt it
asks again for ever; and one offset of a batch too large for it it leaves out without a word. Here
the partition stands still before what can not be read, and it is told once, with its place.
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

# Kafka 0.11 has this version of a fetch; those before it may send a batch in part.
_OLDEST_FETCH = 4

# LastStableOffset, LogStartOffset, AbortedTransactions, PreferredReadReplica, Records; the versions
# before it have no replica, and the oldest no LogStartOffset.
_ANSWER_OF_VERSION_11 = 4

_CORRUPT_DISK = "the broker says that its own disk is corrupt there"

# Another broker leads the partition now, or will.
_MOVED = (
    aiokafka.errors.NotLeaderForPartitionError,
    aiokafka.errors.UnknownTopicOrPartitionError,
)

Skipped = Collection[tuple[str, int, int]]

# Told once for each place: what can not be read, and which of its offsets are not named yet.
OnUnreadable = Callable[[TopicPartition, Unreadable, Sequence[int]], None]


def read_on(
    consumer: aiokafka.AIOKafkaConsumer, on_unreadable: OnUnreadable, skipped: Skipped = ()
) -> None:
    """From now on this consumer, which has started, raises for nothing that a record brings.

    A partition is paused where it can not be read. For each offset that is named in ``skipped``
    there comes a record without key, headers and time; the first of a batch has the batch's bytes
    as its value, the others none.
    """
    fetcher = consumer._fetcher
    fetcher._proc_fetch_request = _Fetching(fetcher, on_unreadable, skipped).fetch


class _Fetching:
    """The part of aiokafka's fetcher that sends a request and keeps what comes."""

    def __init__(self, fetcher: Any, on_unreadable: OnUnreadable, skipped: Skipped) -> None:
        self._fetcher = fetcher
        self._on_unreadable = on_unreadable
        self._skipped = skipped
        self._told: set[tuple[TopicPartition, int]] = set()

    async def fetch(self, assignment: Any, node_id: int, request: Any) -> bool:
        """Whether there is something new for those who wait. In the place of aiokafka's own."""
        try:
            response = await self._fetcher._client.send(node_id, request)
        except aiokafka.errors.KafkaError as failure:
            log.warning("no fetch from broker %s: %r", node_id, failure)
            # aiokafka cancels this when it closes, and waits for it as for one that ends by itself.
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(self._fetcher._retry_backoff)
            return False
        except asyncio.CancelledError:
            return False  # as aiokafka has it: closed, or the partitions are gone
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
                    continue  # it was sought elsewhere meanwhile
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
        """``stable``: the end of what no open transaction may take back. From version 11 on the
        answer has the aborted transactions second from here; before that, second from behind."""
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
        """For whoever asks next for this partition's records."""
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
                False,  # the checksums are looked at already
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
        """What can be read of the batches, and what is passed over in the place of the rest."""
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
        # Or it would be asked for again at once, and again.
        self._fetcher._subscriptions.pause(place)
        if (place, lost.first) not in self._told:
            self._told.add((place, lost.first))
            self._on_unreadable(place, lost, unnamed)


def _passed_over(lost: Unreadable, offset: int) -> Record:
    return Record(offset, 0, 0, None, lost.content if offset == lost.first else None, ())


class _Run:
    """Records as aiokafka's loop takes a batch. ``next_offset``: where it goes on behind them."""

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
    """Batches as aiokafka's loop takes what a fetch has brought."""

    def __init__(self, runs: Iterator[_Run]) -> None:
        self._runs = runs
        self._next: _Run | None = None

    def has_next(self) -> bool:
        self._next = next(self._runs, None)
        return self._next is not None

    def next_batch(self) -> _Run | None:
        return self._next
