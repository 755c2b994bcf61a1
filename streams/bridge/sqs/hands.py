"""The messages in our hands: hidden from other readers for as long as they are held, deleted in
batches once they are delivered, given back when they can not be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from streams.bridge.sqs.batches import MOST, batches
from streams.bridge.sqs.lease import Lease
from streams.bridge.sqs.message import QueueMessage
from streams.bridge.sqs.metrics import SqsMetrics
from streams.bridge.sqs.queue import Queue
from streams.bridge.sqs.room import Room
from streams.clock import Clock
from streams.core.retry_policy import Backoff
from streams.errors import QueueError

log = logging.getLogger(__name__)


# Waits between requests that SQS did not answer, or refused.
BACKOFF = Backoff(base=0.5, cap=20.0)


@dataclass(frozen=True, slots=True)
class HandsPolicy:
    """Times in seconds."""

    # How long a deletion waits for others to fill its request. Ten in one request cost a tenth; a
    # message that waits costs nothing.
    linger: float = 0.02
    # Deletions under way at once. At 20 ms a request they are 2,000 messages a second.
    deleters: int = 4
    # Renewals under way at once: a thousand messages are a hundred requests.
    renewals: int = 8
    backoff: Backoff = BACKOFF
    # A renewal is due at half its time; tries that fail come so often in the rest of it.
    tries_in_time: int = 4


class Held:
    """One message in our hands. ``lease``: None once SQS lets us hide it no more. ``delivering``:
    the task that takes it into Kafka; None for one that is to be given back unread."""

    __slots__ = ("delivered", "delivering", "lease", "message")

    def __init__(self, message: QueueMessage, lease: Lease) -> None:
        self.message = message
        self.lease: Lease | None = lease
        self.delivering: asyncio.Task[None] | None = None
        self.delivered = False


class Hands:
    """``seconds``: the visibility timeout that messages are received and renewed with."""

    def __init__(
        self,
        queue: Queue,
        *,
        seconds: int,
        room: Room,
        metrics: SqsMetrics,
        clock: Clock,
        random: Random,
        policy: HandsPolicy | None = None,
    ) -> None:
        self._queue = queue
        self._seconds = seconds
        self._room = room
        self._metrics = metrics
        self._clock = clock
        self._random = random
        self._policy = policy or HandsPolicy()
        self._held: dict[Held, None] = {}
        self._to_delete: asyncio.Queue[Held] = asyncio.Queue()
        self._freed = asyncio.Event()

    @property
    def held(self) -> Sequence[Held]:
        """All of them, the oldest first."""
        return list(self._held)

    async def room_for_a_poll(self) -> bool:
        """True, once there is room for all that a poll can bring; it is taken then."""
        while not self._room.enter_poll():
            self._freed.clear()
            await self._freed.wait()
        return True

    def poll_is_over(self) -> None:
        self._room.leave_poll()
        self._freed.set()

    def take(self, message: QueueMessage) -> Held:
        """A message has come: from now on it is renewed."""
        held = Held(message, Lease.begin(self._clock.monotonic(), self._seconds))
        self._held[held] = None
        self._room.enter(len(message.body))
        self._measure()
        if message.receive_count > 1:
            self._metrics.redelivered.inc()
        return held

    def delete_soon(self, held: Held) -> None:
        """Kafka has it, or it is to be skipped: delete it. It is hidden until it is deleted."""
        held.delivered = True
        self._to_delete.put_nowait(held)

    async def deleted(self) -> None:
        """Returns once all that is to be deleted is."""
        await self._to_delete.join()

    async def give_back(self, those: Sequence[Held], seconds: int = 0) -> None:
        """Let others have them, after so many seconds. If SQS does not agree, they have them when
        the visibility timeout is over."""
        for held in those:
            self._forget(held)

        async def give(batch: Sequence[Held]) -> None:
            try:
                await self._queue.hide([(held.message.receipt, seconds) for held in batch])
            except QueueError:
                return  # the queue is watched: it is counted and logged there

        await asyncio.gather(*(give(batch) for batch in batches(those)))

    async def delete(self) -> None:
        """Delete what is to be deleted; runs until it is cancelled."""
        async with asyncio.TaskGroup() as deleters:
            for _ in range(self._policy.deleters):
                deleters.create_task(self._delete())

    async def renew(self) -> None:
        """Keep all messages hidden; runs until it is cancelled."""
        failures = 0
        while True:
            now = self._clock.monotonic()
            leases = [(held, held.lease) for held in self._held if held.lease is not None]
            due = [held for held, lease in leases if lease.due <= now]
            if due:
                failures = 0 if await self._renew(due) else failures + 1
                if failures:
                    await self._clock.sleep(self._until_next_try(failures))
                continue
            # A message that comes meanwhile is due later than this.
            next_due = min((lease.due for _, lease in leases), default=now + self._seconds / 2)
            await self._clock.sleep(max(0.0, min(next_due - now, self._seconds / 2)))

    async def _delete(self) -> None:
        while True:
            batch = [await self._to_delete.get()]
            if self._to_delete.qsize() < MOST:
                await self._clock.sleep(self._policy.linger)
            while len(batch) < MOST and not self._to_delete.empty():
                batch.append(self._to_delete.get_nowait())
            await self._delete_batch(batch)

    async def _delete_batch(self, batch: Sequence[Held]) -> None:
        by_receipt = {held.message.receipt: held for held in batch}
        left: Sequence[str] = list(by_receipt)
        failures = 0
        while left:
            try:
                answers = await self._queue.delete(left)
            except QueueError:
                failures += 1
            else:
                self._metrics.deleted.inc(len(answers.done))
                self._note_lost(len(answers.lost))
                for receipt in (*answers.done, *answers.lost):
                    self._forget(by_receipt[receipt])
                    self._to_delete.task_done()
                left = answers.again
                failures = failures + 1 if left else 0
            if left:
                await self._clock.sleep(self._policy.backoff.wait(failures, self._random))

    async def _renew(self, due: Sequence[Held]) -> bool:
        """Whether none of them is due any more."""
        free = asyncio.Semaphore(self._policy.renewals)

        async def renew(batch: Sequence[Held]) -> bool:
            async with free:
                return await self._renew_batch(batch)

        return all(await asyncio.gather(*(renew(batch) for batch in batches(due))))

    async def _renew_batch(self, batch: Sequence[Held]) -> bool:
        now = self._clock.monotonic()
        entries: dict[tuple[str, int], tuple[Held, Lease]] = {}
        for held in batch:
            if held.lease is None or held not in self._held:
                continue  # deleted or given back while this batch waited for its turn
            seconds = held.lease.extension(now, self._seconds)
            if seconds is None:
                self._expire(held)
            else:
                entries[held.message.receipt, seconds] = (held, held.lease.renewed(now, seconds))
        if not entries:
            return True
        try:
            answers = await self._queue.hide(list(entries))
        except QueueError:
            return False
        for entry in answers.done:
            held, lease = entries[entry]
            held.lease = lease
        lost = [entries[entry][0] for entry in answers.lost]
        for held in lost:
            held.lease = None
        # What was deleted in the meantime can not be hidden, and need not be.
        self._note_lost(sum(held in self._held for held in lost))
        return not answers.again

    def _until_next_try(self, failures: int) -> float:
        wait = self._policy.backoff.wait(failures, self._random)
        return min(wait, self._seconds / 2 / self._policy.tries_in_time)

    def _expire(self, held: Held) -> None:
        """It was held for as long as SQS allows. It comes again."""
        log.warning(
            "a message was held for 12 hours, the longest that SQS allows: it is let go and comes "
            "again; Kafka was away for too long"
        )
        held.lease = None
        if held.delivering is not None and not held.delivered:
            held.delivering.cancel()
            self._metrics.messages.labels("expired").inc()
            self._forget(held)

    def _note_lost(self, number: int) -> None:
        if number:
            self._metrics.receipts_lost.inc(number)
            log.warning(
                "SQS does not take the receipts of messages any more: their visibility timeout was "
                "over before they were renewed, and they may come again",
                extra={"messages": number},
            )

    def _forget(self, held: Held) -> None:
        if held in self._held:
            del self._held[held]
            self._room.leave(len(held.message.body))
            self._freed.set()
            self._measure()

    def _measure(self) -> None:
        self._metrics.held.set(self._room.messages)
        self._metrics.held_bytes.set(self._room.bytes)
