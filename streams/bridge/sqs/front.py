"""The bridge from SQS: receives messages, has them delivered, and deletes them only then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from aiohttp import web
from prometheus_client import CollectorRegistry

from streams import __version__
from streams.bridge.delivery import Delivery
from streams.bridge.intake import Malformed, Skipped
from streams.bridge.sqs.batches import MOST
from streams.bridge.sqs.hands import BACKOFF, Hands, HandsPolicy, Held
from streams.bridge.sqs.lease import visibility_seconds, wait_before_again
from streams.bridge.sqs.message import QueueMessage
from streams.bridge.sqs.metrics import Ended, SqsMetrics
from streams.bridge.sqs.queue import POLL_SECONDS, Queue
from streams.bridge.sqs.room import Room, RoomPolicy
from streams.bridge.sqs.watched import WatchedQueue
from streams.clock import Clock
from streams.core.retry_policy import Backoff
from streams.errors import PublishError, QueueError, RecordTooLarge
from streams.health_routes import health_routes
from streams.kafka.publisher import Acknowledged
from streams.stopping import unless_stopped
from streams.telemetry.tracing import extract_context

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SqsPolicy:
    """Times in seconds."""

    # Polls under way at once while there is a backlog, else it is one. At 20 ms an answer of ten
    # messages they are 2,000 messages a second.
    polls: int = 4
    room: RoomPolicy = field(default_factory=RoomPolicy)
    hands: HandsPolicy = field(default_factory=HandsPolicy)
    backoff: Backoff = BACKOFF
    # How often it is looked whether Kafka is there. No message is received while it is not: it
    # would only be held.
    look: float = 0.2
    # A record that is not acknowledged in this time is published again. What it could not send, a
    # producer has given up after 40 s: only what a broker has, and hangs over, is queued twice.
    publish: float = 60.0
    # A drain has to fit into 9.5 s, with 2 s for Kafka's last records, 2 s for the last spans and
    # half a second for the HTTP server. Polls end by themselves in the first of these times, and
    # deliveries go on meanwhile.
    last_polls: float = POLL_SECONDS + 0.5
    last_deliveries: float = 0.5
    last_deletions: float = 0.75
    last_returns: float = 0.75


class SqsBridge:
    """``kafka_trouble``: returns why Kafka is away, or None while it is there."""

    def __init__(
        self,
        *,
        queue: Queue,
        delivery: Delivery,
        kafka_trouble: Callable[[], str | None],
        metrics: SqsMetrics,
        clock: Clock,
        random: Random,
        policy: SqsPolicy | None = None,
    ) -> None:
        self._queue = WatchedQueue(queue, metrics, clock)
        self._delivery = delivery
        self._kafka_trouble = kafka_trouble
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._policy = policy or SqsPolicy()
        self._kafka_is_there = asyncio.Event()
        # The latest poll brought all that a poll can bring.
        self._backlog = asyncio.Event()

    def application(self) -> web.Application:
        """The routes for operators; there is nothing else."""
        app = web.Application()
        app.add_routes(
            health_routes(
                title=f"genesys-streams {__version__}: bridge sqs",
                not_ready=self.not_ready,
                metrics=self.registry,
            )
        )
        return app

    def not_ready(self) -> str | None:
        """Why no event gets from the queue into Kafka just now; None when it does."""
        return self._kafka_trouble() or self._queue.trouble

    async def run(self, stop: asyncio.Event) -> None:
        """Bridge until ``stop`` is set. Then delete what is delivered and give back the rest."""
        seconds = await unless_stopped(stop, self._visibility())
        if seconds is None:
            return
        log.info("receiving from the queue", extra={"visibility": seconds})
        hands = Hands(
            self._queue,
            seconds=seconds,
            room=Room(self._policy.room),
            metrics=self._metrics,
            clock=self._clock,
            random=self._random,
            policy=self._policy.hands,
        )
        stopping = asyncio.create_task(stop.wait())
        keeping = [
            asyncio.create_task(work)
            for work in (self._watch_kafka(), hands.renew(), hands.delete())
        ]
        polling = [
            asyncio.create_task(self._poll(hands, seconds, stop, first=number == 0))
            for number in range(self._policy.polls)
        ]
        try:
            await asyncio.wait({stopping, *keeping, *polling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            stopping.cancel()
            await self._drain(hands, keeping, polling)
        for task in (*keeping, *polling):
            if not task.cancelled():
                task.result()

    async def _visibility(self) -> int:
        """The visibility timeout to use, once SQS says what the queue's is."""
        failures = 0
        while True:
            try:
                return visibility_seconds(await self._queue.visibility())
            except QueueError:
                failures += 1
                await self._clock.sleep(self._policy.backoff.wait(failures, self._random))

    async def _watch_kafka(self) -> None:
        while True:
            if self._kafka_trouble() is None:
                self._kafka_is_there.set()
            else:
                self._kafka_is_there.clear()
            await self._clock.sleep(self._policy.look)

    async def _poll(self, hands: Hands, seconds: int, stop: asyncio.Event, *, first: bool) -> None:
        """Receive messages until ``stop`` is set; all but the first only while there is a backlog.
        A request under way is never broken off (see ``POLL_SECONDS``)."""
        failures = 0
        while not stop.is_set():
            if not first:
                await unless_stopped(stop, self._backlog.wait())
            await unless_stopped(stop, self._kafka_is_there.wait())
            if not await unless_stopped(stop, hands.room_for_a_poll()):
                return
            messages: Sequence[QueueMessage] = ()
            try:
                # Kafka may have gone while there was no room.
                if self._kafka_is_there.is_set():
                    messages = await self._queue.receive(seconds)
                failures = 0
            except QueueError:
                failures += 1
            finally:
                hands.poll_is_over()
            if len(messages) == MOST:
                self._backlog.set()
            elif not messages:
                self._backlog.clear()
            self._take(hands, messages, stop)
            if failures:
                wait = self._policy.backoff.wait(failures, self._random)
                await unless_stopped(stop, self._clock.sleep(wait))

    def _take(self, hands: Hands, messages: Sequence[QueueMessage], stop: asyncio.Event) -> None:
        for message in messages:
            held = hands.take(message)
            if not stop.is_set():  # else it is given back with the rest
                held.delivering = asyncio.create_task(self._deliver(hands, held))

    async def _deliver(self, hands: Hands, held: Held) -> None:
        message = held.message
        try:
            ended = await self._until_delivered(message)
        except Exception as exc:
            # Of this message alone; the others go on. What failed so often that the queue's own
            # dead-letter queue takes it is there for an operator.
            self._metrics.messages.labels("failed").inc()
            wait = wait_before_again(message.receive_count)
            log.exception(
                "a message could not be handled and is given back to the queue: %s",
                type(exc).__name__,
                extra={"receives": message.receive_count, "again_in": wait},
            )
            await hands.give_back([held], wait)
        else:
            self._metrics.messages.labels(ended).inc()
            hands.delete_soon(held)

    async def _until_delivered(self, message: QueueMessage) -> Ended:
        """Deliver a message, however long Kafka is away: it stays hidden meanwhile. Given back it
        would come at once, again and again."""
        sender = extract_context(
            [("traceparent", message.traceparent.encode())] if message.traceparent else None
        )
        failures = 0
        while True:
            await self._kafka_is_there.wait()
            try:
                async with asyncio.timeout(self._policy.publish):
                    return _ended(
                        await self._delivery.deliver(message.body, sender, message.headers)
                    )
            except (PublishError, TimeoutError) as exc:
                if isinstance(exc, RecordTooLarge):
                    raise  # of this message alone; a right that is missing is of all of them
                failures += 1
                log.warning(
                    "an event was not taken and is tried again: %s",
                    str(exc) or "no acknowledgement in time",
                )
            await self._clock.sleep(self._policy.backoff.wait(failures, self._random))

    async def _drain(
        self,
        hands: Hands,
        keeping: Sequence[asyncio.Task[None]],
        polling: Sequence[asyncio.Task[None]],
    ) -> None:
        policy = self._policy
        await asyncio.wait(polling, timeout=policy.last_polls)
        await _cancelled(polling)
        delivering = [held.delivering for held in hands.held if held.delivering is not None]
        if delivering:
            there = self._kafka_trouble() is None
            await asyncio.wait(delivering, timeout=policy.last_deliveries if there else 0)
        # A cancelled delivery may have reached Kafka all the same. The event comes again then, and
        # its outcome is a duplicate.
        await _cancelled(delivering)
        deleting = asyncio.create_task(hands.deleted())
        await asyncio.wait({deleting}, timeout=policy.last_deletions)
        await _cancelled([deleting, *keeping])
        left = [held for held in hands.held if not held.delivered]
        self._metrics.messages.labels("stopped").inc(len(left))
        returning = asyncio.create_task(hands.give_back(left))
        await asyncio.wait({returning}, timeout=policy.last_returns)
        await _cancelled([returning])
        if left:
            log.info("messages are given back to the queue", extra={"messages": len(left)})

    def registry(self) -> CollectorRegistry:
        """The metrics, with the gauges up to date."""
        self._metrics.ready.set(self.not_ready() is None)
        return self._metrics.registry


def _ended(delivered: Acknowledged | Skipped | Malformed) -> Ended:
    match delivered:
        case Acknowledged():
            return "accepted"
        case Skipped():
            return "skipped"
        case Malformed():
            return "malformed"


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
