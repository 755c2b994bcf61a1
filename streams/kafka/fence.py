"""A producer that can be fenced: its queued records do not go out any more (promise 8).

aiokafka sends queued records whenever it can. After a worker was frozen, or has abandoned a lane,
that may be long after its partitions were assigned to another worker. So each produce request asks
``may_send`` when it is about to go out, and nothing is awaited between the answer and the write to
the socket. A worker may be frozen between the two as well, while the request is made into bytes: so
it asks once more with the bytes in hand. And once that answer turns to no, the connection of a
request under way is reset, as is that of a request that aiokafka gives up: what has not left this
machine never does. A network that was cut would otherwise deliver it once it is back, behind what
the next owner wrote.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from weakref import WeakSet

import aiokafka
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaError, NodeNotReadyError, ProducerClosed
from aiokafka.protocol.produce import ProduceRequest

from streams.kafka.bootstrap import return_to_bootstrap
from streams.kafka.message import Message
from streams.kafka.partitioner import partition_of
from streams.kafka.sequences import keep_whole
from streams.sockets import forget_on_close, reset

# How often ``may_send`` is asked for a request that waits, and for those under way. The group gives
# our partitions to another worker over several round trips, so usually it has written nothing yet.
LEAVE_POLL_SECONDS = 0.05

# Stands for a key that is null. aiokafka's ``send`` refuses a record without key and value, and its
# ``send_batch`` waits until nothing else is queued for the partition, which under load may take
# longer than its time-out (both: test_aiokafka.py).
_NULL_KEY = b"a key that is null"


# Where a request has its kind, behind its length, and that of a produce request (Kafka's protocol,
# request header).
_KIND = slice(4, 6)
_PRODUCE = b"\0\0"


class Fenced(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """The producer was fenced before the record went out. Not retriable for aiokafka."""


class FenceableProducer(aiokafka.AIOKafkaProducer):  # type: ignore[misc]  # the same
    """``may_send`` says whether a produce request may go out now. The request waits while it
    returns False, and those that are under way are reset."""

    def __init__(self, *, may_send: Callable[[], bool], **options: Any) -> None:
        super().__init__(key_serializer=_written_key, **options)
        self.fenced = False
        self.broken = False
        """Whether a partition takes nothing more from it."""
        self._may_send = may_send
        self._under_way = 0
        self._watching: asyncio.Task[None] | None = None
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        client: Any = self.client
        return_to_bootstrap(client)
        if self._txn_manager is not None:
            keep_whole(self._message_accumulator, self._txn_manager, self._has_gap)
        self._send_request = client.send
        client.send = self._send_with_leave

    def fence(self) -> None:
        """Fail all that is not acknowledged; no produce request leaves from now on, and those under
        way are reset. Afterwards only ``stop`` may be called."""
        self.fenced = True
        self._reset()
        accumulator = self._message_accumulator
        # What is queued counts as sent, so that aiokafka's sender does not take it up. A batch that
        # was queued again after an error expects to be found there, too.
        for batches in accumulator._batches.values():
            accumulator._pending_batches.update(batches)
        accumulator._batches.clear()
        # And what fails now, or waits after an error, is not queued again: it has failed for good.
        accumulator.reenqueue = _not_again
        accumulator.fail_all(Fenced())
        for batch in accumulator._pending_batches:
            # Marks it as retrieved: nobody waits until the batch has left, and asyncio must not
            # complain of each.
            batch._drain_waiter.exception()

    async def abandon(self) -> None:
        """Fence it, and disconnect at once; also where a ``stop`` was cancelled, which would leave
        it sending for as long as the process lives."""
        self.fence()
        await self.stop()  # which does nothing where one has begun before
        if self._sender is not None:
            await self._sender.close()
        await self.client.close()

    async def send_record(self, message: Message) -> asyncio.Future[Any]:
        """Like aiokafka's ``send``, but accepts a record without key and value too. Other producers
        can write such a record, and its dead letter must be an exact copy (promise 7)."""
        sent: asyncio.Future[Any] = await self.send(
            message.topic,
            key=_NULL_KEY if message.key is None else message.key,
            value=message.value,
            headers=list(message.headers),
            partition=message.partition,
        )
        return sent

    async def send_all(
        self, messages: Sequence[Message]
    ) -> list[tuple[Sequence[Message], asyncio.Future[Any]]]:
        """Queue records for their partitions, those of one partition one behind the other.

        Returns runs of them, each with a future that gives where the first of the run is stored.
        One future for a run, and no more than a line of Python for a record: ``send`` costs forty
        times that. All are queued, or none when this raises.
        """
        for topic in {message.topic for message in messages}:
            await self.client._wait_on_metadata(topic)
        if self._closed or self._message_accumulator._closed:
            raise ProducerClosed
        if self._message_accumulator._exception is not None:
            raise self._message_accumulator._exception
        batches = [
            (place, run, batch)
            for place, queue in self._by_partition(messages).items()
            for run, batch in self._batches(queue)
        ]
        append = self._message_accumulator._append_batch
        return [(run, asyncio.shield(append(batch, place).future)) for place, run, batch in batches]

    def _by_partition(
        self, messages: Sequence[Message]
    ) -> Mapping[aiokafka.TopicPartition, list[Message]]:
        queues: defaultdict[aiokafka.TopicPartition, list[Message]] = defaultdict(list)
        counts: dict[str, int] = {}
        for message in messages:
            topic, partition = message.topic, message.partition
            if partition is None:
                if topic not in counts:
                    counts[topic] = len(self.client.cluster.partitions_for_topic(topic))
                partition = (
                    partition_of(message.key, counts[topic])
                    if message.key is not None
                    else self._partition(topic, None, None, None, None, None)
                )
            queues[aiokafka.TopicPartition(topic, partition)].append(message)
        return queues

    def _batches(self, queue: Sequence[Message]) -> Iterator[tuple[Sequence[Message], Any]]:
        """The records in batches, each as large as the producer's own may be."""
        run: list[Message] = []
        batch = self.create_batch()
        for message in queue:
            headers = list(message.headers)  # aiokafka's builder takes nothing else
            fields = {"key": message.key, "value": message.value, "headers": headers}
            if batch.append(timestamp=None, **fields) is None:
                batch.close()
                yield run, batch
                run, batch = [], self.create_batch()
                batch.append(timestamp=None, **fields)
            run.append(message)
        batch.close()
        yield run, batch

    async def _send_with_leave(
        self, node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT
    ) -> Any:
        if not isinstance(request, ProduceRequest):
            return await self._send_request(node_id, request, group=group)
        # Connect before asking: the answer would be out of date after connecting.
        await self.client.ready(node_id, group=group)
        connection = self.client._conns.get((node_id, group))
        while not self.fenced and not self._may_send():  # noqa: ASYNC110
            # Another thread changes the answer of may_send, so there is no event to await.
            await asyncio.sleep(LEAVE_POLL_SECONDS)
        if self.fenced:
            raise Fenced
        if not _is_open(connection) or self.client._conns.get((node_id, group)) is not connection:
            # It would be connected anew, which takes as long as it takes.
            raise NodeNotReadyError(f"the connection to broker {node_id} has ended")
        if not isinstance(connection._writer, _AskingWriter):
            connection._writer = _AskingWriter(connection._writer, self._may_send)
        transport = connection._writer.transport
        forget_on_close(transport.get_extra_info("socket"))
        self._transports.add(transport)
        self._under_way += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            return await self._send_request(node_id, request, group=group)
        except BaseException:
            # aiokafka has given it up, after a time-out for one, and sends its records again.
            # It only closes the connection, which lets what is on its way arrive behind them.
            reset(transport)
            raise
        finally:
            self._under_way -= 1

    def _has_gap(self) -> None:
        self.broken = True

    async def _watch(self) -> None:
        while self._under_way:
            await asyncio.sleep(LEAVE_POLL_SECONDS)
            if self._under_way and not self._may_send():
                self._reset()

    def _reset(self) -> None:
        """Reset the connections of produce requests, those included that aiokafka has closed
        itself. It sends what is not acknowledged again, once it may, and brokers know a batch that
        did arrive by its number."""
        for transport in list(self._transports):
            reset(transport)
        self._transports.clear()


class _AskingWriter:
    """In the place of aiokafka's writer on a connection: refuses a produce request that may not
    leave any more. aiokafka then closes the connection, and tries again what it still has."""

    def __init__(self, writer: Any, may_send: Callable[[], bool]) -> None:
        self._writer = writer
        self._may_send = may_send

    def write(self, data: bytes) -> None:
        """Raises OSError, as a connection that is broken does."""
        if data[_KIND] == _PRODUCE and not self._may_send():
            raise OSError("the session ended while the request was made")
        self._writer.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


def _is_open(connection: Any) -> bool:
    """aiokafka notices the end of a connection some turns of the loop after asyncio."""
    return (
        connection is not None
        and connection.connected()
        and not connection._writer.transport.is_closing()
    )


def _not_again(batch: Any) -> None:
    """In the place of ``MessageAccumulator.reenqueue``."""


def _written_key(key: bytes) -> bytes | None:
    return None if key is _NULL_KEY else key
