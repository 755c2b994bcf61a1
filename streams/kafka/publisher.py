"""Records into Kafka, acknowledged by all in-sync replicas, in order, without the producer's own
duplicates. ``await topic.send()`` elsewhere often means "queued"; here it means "on the brokers".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import aiokafka
import aiokafka.errors

from streams.errors import PublishError
from streams.kafka.connection import aiokafka_options
from streams.settings import Settings

Headers = Sequence[tuple[str, bytes]]

# Waiting this long for more records of a batch: halves the CPU a record costs under load and adds
# less to one record than the round trip to a replicated topic takes.
LINGER_MS = 5
MAX_BATCH_BYTES = 512 * 1024

# The bridge accepts bodies of 1 MiB; key, headers and framing come on top.
MAX_REQUEST_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Where a record is, now that Kafka has it."""

    topic: str
    partition: int
    offset: int


class Publisher(Protocol):
    """Collaborator: sends records and knows when they are safe."""

    async def enqueue(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> asyncio.Future[Acknowledged]:
        """Queue a record; the future is done when Kafka has acknowledged it.

        Futures of one partition finish in offset order, and so do their done-callbacks. The
        future, and this call, raise PublishError.
        """
        ...

    async def publish(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> Acknowledged:
        """Queue a record and wait until it is acknowledged. Raises PublishError."""
        ...


class KafkaPublisher:
    """Publisher on an idempotent aiokafka producer with acks=all."""

    def __init__(self, settings: Settings, *, client_id: str) -> None:
        self._options = {
            **aiokafka_options(settings),
            "client_id": client_id,
            "enable_idempotence": True,
            "acks": "all",
            "linger_ms": LINGER_MS,
            "max_batch_size": MAX_BATCH_BYTES,
            "max_request_size": MAX_REQUEST_BYTES,
        }
        self._producer: aiokafka.AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect. Raises PublishError when no broker answers."""
        producer = aiokafka.AIOKafkaProducer(**self._options)
        try:
            await producer.start()
        except asyncio.CancelledError:
            await producer.stop()
            raise
        except aiokafka.errors.KafkaError as exc:
            await producer.stop()
            servers = self._options["bootstrap_servers"]
            raise PublishError(
                f"cannot reach Kafka at {servers}: {exc!r}; check KAFKA_BOOTSTRAP_SERVERS"
            ) from exc
        self._producer = producer

    async def stop(self) -> None:
        """Flush what is queued and disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def enqueue(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> asyncio.Future[Acknowledged]:
        if self._producer is None:
            raise PublishError("the publisher is not started, or was stopped")
        try:
            sent = await self._producer.send(
                topic, key=key, value=value, headers=list(headers), partition=partition
            )
        except aiokafka.errors.KafkaError as exc:
            raise PublishError(f"Kafka took no record for {topic}: {exc!r}") from exc
        acknowledged: asyncio.Future[Acknowledged] = asyncio.get_running_loop().create_future()

        def resolve(done: asyncio.Future[aiokafka.structs.RecordMetadata]) -> None:
            if acknowledged.cancelled():
                return
            if done.cancelled():
                acknowledged.set_exception(PublishError(f"sending to {topic} was cancelled"))
            elif (failure := done.exception()) is not None:
                error = PublishError(f"Kafka did not acknowledge a record for {topic}: {failure!r}")
                error.__cause__ = failure
                acknowledged.set_exception(error)
            else:
                at = done.result()
                acknowledged.set_result(Acknowledged(at.topic, at.partition, at.offset))

        sent.add_done_callback(resolve)
        return acknowledged

    async def publish(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> Acknowledged:
        return await (
            await self.enqueue(topic, key=key, value=value, headers=headers, partition=partition)
        )
