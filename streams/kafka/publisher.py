"""Sends records to Kafka: acknowledged by all in-sync replicas, in order, and without duplicates
made by the producer. Elsewhere ``await topic.send()`` often means "queued"; a record that
``publish`` has sent is on the brokers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import aiokafka
import aiokafka.errors

from streams.errors import OwnershipLost, PublishError, RecordTooLarge, WriteRefused
from streams.kafka.acls import Operation
from streams.kafka.authorization import refusal_of_topic
from streams.kafka.connection import aiokafka_options, renew_password
from streams.kafka.diagnosis import why_not
from streams.kafka.fence import FenceableProducer
from streams.kafka.message import Message
from streams.kafka.settings import KafkaSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

# How long a batch waits for more records, so that under load many share one request. It delays one
# record by less than the round trip to a replicated topic takes.
LINGER_MS = 5

# Some hundreds of records of a kilobyte share one request; of aiokafka's own 16 KiB, a dozen would.
MAX_BATCH_BYTES = 512 * 1024

# The bridge accepts bodies of up to 1 MiB; key, headers and framing are added to that.
MAX_REQUEST_BYTES = 2 * 1024 * 1024

# How long ``stop`` waits for fenced producers to disconnect. A fenced producer that waits for a
# dead broker must not delay the program's end.
RETIRE_SECONDS = 1.0


_TOO_LARGE = (
    aiokafka.errors.MessageSizeTooLargeError,
    aiokafka.errors.RecordListTooLargeError,
    aiokafka.errors.RecordTooLargeError,
)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Where Kafka has stored an acknowledged record."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class AcknowledgedRun:
    """Acknowledged records that Kafka has stored one behind the other. ``offset``: that of the
    first."""

    partition: int
    offset: int
    messages: Sequence[Message]


class Publisher(Protocol):
    """Collaborator: sends records and reports when Kafka has acknowledged them."""

    async def enqueue(self, message: Message) -> asyncio.Future[Acknowledged]:
        """Queue a record; the future is done when Kafka has acknowledged it.

        Futures of one partition finish in offset order, and so do their done-callbacks. Both this
        call and the future raise PublishError.
        """
        ...

    async def enqueue_all(
        self, messages: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        """Queue records together, at a fraction of the price of one by one. The futures are like
        those of ``enqueue``, one for each run of records that are stored one behind the other.
        Records of one partition keep their order. Raises PublishError; then none is queued."""
        ...

    async def publish(self, message: Message) -> Acknowledged:
        """Queue a record and wait until it is acknowledged. Raises PublishError."""
        ...


class KafkaPublisher:
    """Publisher on an idempotent aiokafka producer with acks=all.

    ``may_send`` is called right before each produce request goes out. The request waits for as long
    as it returns False.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        client_id: str,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings
        self._options: dict[str, Any] = {
            "client_id": client_id,
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": LINGER_MS,
            "max_batch_size": MAX_BATCH_BYTES,
            "max_request_size": MAX_REQUEST_BYTES,
            "may_send": may_send,
        }
        self._producer: FenceableProducer | None = None
        self._connecting = asyncio.Lock()
        self._started = False
        self._unacknowledged: set[asyncio.Future[Any]] = set()
        self._being_queued = 0
        self._fences = 0
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def client(self) -> Any:
        """The aiokafka client that sends the next record; None until one is needed."""
        return None if self._producer is None else self._producer.client

    async def start(self) -> None:
        """Connect. Raises PublishError when no broker answers."""
        self._producer = await self._connect()
        self._started = True

    async def stop(self) -> None:
        """Flush what is queued and disconnect. When it is cancelled, what is queued is not sent any
        more."""
        self._started = False
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await producer.stop()
            except asyncio.CancelledError:
                self._retire(producer)
                raise
        if self._retiring:
            await asyncio.wait(self._retiring, timeout=RETIRE_SECONDS)

    def fence(self) -> None:
        """Stop all records that Kafka has not acknowledged yet; their futures raise OwnershipLost.

        A record that has left this machine may still arrive. Later records go through a new
        producer.
        """
        self._fences += 1
        producer = self._producer
        if producer is None or not (self._unacknowledged or self._being_queued):
            return
        log.warning(
            "records that were queued for partitions given up are not sent any more",
            extra={"records": len(self._unacknowledged) + self._being_queued},
        )
        self._producer = None
        lost, self._unacknowledged = self._unacknowledged, set()
        for acknowledged in lost:
            if not acknowledged.done():  # an abandoned lane has cancelled its future
                acknowledged.set_exception(_fenced())
                # Marks it as retrieved: asyncio must not complain if nobody waits for it any more.
                acknowledged.exception()
        producer.fence()
        self._retire(producer)

    def _retire(self, producer: FenceableProducer) -> None:
        retiring = asyncio.create_task(producer.abandon())
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def enqueue(self, message: Message) -> asyncio.Future[Acknowledged]:
        sent = await self._queued([message], lambda producer: producer.send_record(message))
        return self._watched(
            message.topic, sent, lambda at: Acknowledged(at.topic, at.partition, at.offset)
        )

    async def enqueue_all(
        self, messages: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        runs = await self._queued(messages, lambda producer: producer.send_all(messages))
        return [
            self._watched(run[0].topic, sent, partial(_acknowledged_run, run)) for run, sent in runs
        ]

    async def _queued(
        self, messages: Sequence[Message], queue: Callable[[FenceableProducer], Awaitable[T]]
    ) -> T:
        """What ``queue`` returns. It may take long, for it connects and asks for the topic's
        partitions: a fence meanwhile makes it fail."""
        fences = self._fences
        self._being_queued += 1
        try:
            producer = await self._connected()
            if self._fences != fences:
                raise _fenced()
            queued = await queue(producer)
        except aiokafka.errors.KafkaError as exc:
            if self._fences != fences:
                raise _fenced() from exc
            topics = ", ".join(sorted({message.topic for message in messages}))
            raise self._failed("Kafka took no record for", topics, exc) from exc
        finally:
            self._being_queued -= 1
        if self._fences != fences:
            raise _fenced()
        return queued

    def _watched(
        self,
        topic: str,
        sent: asyncio.Future[aiokafka.structs.RecordMetadata],
        result: Callable[[aiokafka.structs.RecordMetadata], T],
    ) -> asyncio.Future[T]:
        """A future of ours for one of aiokafka's, which a fence makes fail."""
        acknowledged: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._unacknowledged.add(acknowledged)

        def resolve(done: asyncio.Future[aiokafka.structs.RecordMetadata]) -> None:
            self._unacknowledged.discard(acknowledged)
            failure = None if done.cancelled() else done.exception()
            if acknowledged.done():
                return
            if done.cancelled():
                acknowledged.set_exception(PublishError(f"sending to {topic} was cancelled"))
            elif failure is not None:
                error = self._failed("Kafka did not acknowledge a record for", topic, failure)
                error.__cause__ = failure
                acknowledged.set_exception(error)
            else:
                acknowledged.set_result(result(done.result()))

        sent.add_done_callback(resolve)
        return acknowledged

    async def publish(self, message: Message) -> Acknowledged:
        return await (await self.enqueue(message))

    def _failed(self, what: str, topic: str, failure: BaseException) -> PublishError:
        """WriteRefused or RecordTooLarge where that is the cause: it would fail again when sent
        again. Else PublishError."""
        if line := refusal_of_topic(self._settings, failure, topic, Operation.WRITE):
            return WriteRefused(f"{what} {topic}: {line}")
        message = f"{what} {topic}: {failure!r}"
        return RecordTooLarge(message) if isinstance(failure, _TOO_LARGE) else PublishError(message)

    async def _connected(self) -> FenceableProducer:
        if self._producer is not None and not self._producer.broken:
            return self._producer
        async with self._connecting:
            if not self._started:
                raise PublishError("the publisher is not started, or was stopped")
            if self._producer is not None and self._producer.broken:
                log.warning("a partition takes nothing more from this producer: connecting anew")
                broken, self._producer = self._producer, None
                self._retire(broken)
            if self._producer is None:
                self._producer = await self._connect()
            return self._producer

    async def _connect(self) -> FenceableProducer:
        producer = FenceableProducer(**aiokafka_options(self._settings), **self._options)
        renew_password(producer.client, self._settings)
        try:
            await producer.start()
        except asyncio.CancelledError:
            await producer.stop()
            raise
        except aiokafka.errors.KafkaError as exc:
            await producer.stop()
            reason = await why_not(self._settings)
            raise PublishError(
                f"cannot reach Kafka at {self._settings.bootstrap_servers}: "
                f"{reason or f'{exc!r}; check KAFKA_BOOTSTRAP_SERVERS'}"
            ) from exc
        return producer


def _acknowledged_run(
    messages: Sequence[Message], first: aiokafka.structs.RecordMetadata
) -> AcknowledgedRun:
    return AcknowledgedRun(first.partition, first.offset, messages)


def _fenced() -> OwnershipLost:
    return OwnershipLost("the record was still queued when its partition was given up; not sent")
