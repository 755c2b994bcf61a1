"""The queue, and whether it does what it is asked."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from streams.bridge.sqs.batches import Answers
from streams.bridge.sqs.message import QueueMessage
from streams.bridge.sqs.metrics import Operation, SqsMetrics
from streams.bridge.sqs.queue import Hide, Queue
from streams.clock import Clock
from streams.errors import QueueError

log = logging.getLogger(__name__)

# What failed is asked again within 32 s: 12 s for a poll without an answer, 20 s of waiting. A
# failure that is older is of something that nobody needs any more, such as the renewal of a message
# that has been deleted since.
TROUBLE_SECONDS = 60.0


class WatchedQueue:
    """Counts and logs what fails. A kind of request that failed is trouble until one of its kind
    succeeds: who may receive may lack the right to delete."""

    def __init__(self, queue: Queue, metrics: SqsMetrics, clock: Clock) -> None:
        self._queue = queue
        self._metrics = metrics
        self._clock = clock
        # With the time at which each is forgotten.
        self._troubles: dict[Operation, tuple[str, float]] = {
            "GetQueueAttributes": ("SQS was not asked yet", math.inf)
        }

    @property
    def trouble(self) -> str | None:
        """Why messages can not be taken from the queue just now; None when they can."""
        now = self._clock.monotonic()
        return next((text for text, until in self._troubles.values() if now < until), None)

    async def visibility(self) -> int:
        with self._watching("GetQueueAttributes"):
            return await self._queue.visibility()

    async def receive(self, seconds: int) -> Sequence[QueueMessage]:
        with self._watching("ReceiveMessage"):
            return await self._queue.receive(seconds)

    async def delete(self, receipts: Sequence[str]) -> Answers[str]:
        with self._watching("DeleteMessageBatch"):
            return await self._queue.delete(receipts)

    async def hide(self, entries: Sequence[Hide]) -> Answers[Hide]:
        with self._watching("ChangeMessageVisibilityBatch"):
            return await self._queue.hide(entries)

    @contextmanager
    def _watching(self, operation: Operation) -> Iterator[None]:
        try:
            yield
        except QueueError as exc:
            until = self._clock.monotonic() + TROUBLE_SECONDS
            self._troubles[operation] = (str(exc), until)
            self._metrics.queue_errors.labels(operation).inc()
            # The text is the template, so that the filter of repeated lines keeps two kinds of
            # failure apart.
            log.warning(str(exc), extra={"kind": exc.kind})
            raise
        self._troubles.pop(operation, None)
