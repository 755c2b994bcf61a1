"""A queue with SQS's rules, in memory, on a clock that runs fast and can jump."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.bridge.sqs.batches import Answers
from streams.bridge.sqs.message import QueueMessage
from streams.bridge.sqs.queue import Hide
from streams.errors import QueueError

# What SQS allows a message to be hidden in all, from when it was handed out.
SQS_LONGEST = 12 * 3600


class FastClock:
    """Twenty seconds pass in one."""

    SPEED = 20.0

    def __init__(self) -> None:
        self._ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() * self.SPEED + self._ahead

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Ends early when the clock jumps past its end."""
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:  # noqa: ASYNC110 - no event says that it jumps
            await asyncio.sleep(min(left / self.SPEED, 0.02))
        await asyncio.sleep(0)

    def jump(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass
class Lying:
    """A message in the queue."""

    body: str
    trace: str | None = None
    visible_at: float = 0.0
    received_at: float = 0.0
    receipt: str | None = None
    receives: int = 0


@dataclass
class MemoryQueue:
    """``failures``: what each kind of request raises, by the method's name. ``refused``: receipts
    that are not taken any more. ``asked``: how often each method was called. ``broken_off``: polls
    that were not let end; SQS would hand the next messages to them, and so to nobody."""

    clock: FastClock
    seconds: int = 20
    failures: dict[str, QueueError] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    lying: list[Lying] = field(default_factory=list)
    hidden: list[Hide] = field(default_factory=list)
    # How many of the next deletions SQS does not do, and says so.
    deletions_to_fail: int = 0
    most_receives: int = 0
    broken_off: int = 0

    def send(self, *bodies: str, trace: str | None = None) -> None:
        self.lying += [Lying(body, trace) for body in bodies]

    @property
    def visible(self) -> int:
        return sum(each.visible_at <= self.clock.monotonic() for each in self.lying)

    async def visibility(self) -> int:
        self._asked("visibility")
        return self.seconds

    async def receive(self, seconds: int) -> Sequence[QueueMessage]:
        self._asked("receive")
        until = self.clock.monotonic() + 4
        while (now := self.clock.monotonic()) < until:
            ready = [each for each in self.lying if each.visible_at <= now][:10]
            if ready:
                return [self._hand_out(each, now, seconds) for each in ready]
            try:
                await self.clock.sleep(0.4)
            except asyncio.CancelledError:
                self.broken_off += 1
                raise
        return []

    def _hand_out(self, message: Lying, now: float, seconds: int) -> QueueMessage:
        message.receives += 1
        self.most_receives = max(self.most_receives, message.receives)
        message.received_at, message.visible_at = now, now + seconds
        message.receipt = f"{id(message)}-{message.receives}"
        attributes = {"ApproximateReceiveCount": str(message.receives)}
        if message.trace is not None:
            attributes["AWSTraceHeader"] = message.trace
        made = QueueMessage.read(
            {"ReceiptHandle": message.receipt, "Body": message.body, "Attributes": attributes}
        )
        assert made is not None
        return made

    async def delete(self, receipts: Sequence[str]) -> Answers[str]:
        self._asked("delete")
        assert 1 <= len(set(receipts)) == len(receipts) <= 10
        again = receipts[: self.deletions_to_fail]
        self.deletions_to_fail -= len(again)
        lost = [each for each in receipts if each in self.refused and each not in again]
        done = [each for each in receipts if each not in again and each not in lost]
        self.lying = [each for each in self.lying if each.receipt not in done]
        return Answers(done, again, lost)

    async def hide(self, entries: Sequence[Hide]) -> Answers[Hide]:
        self._asked("hide")
        assert 1 <= len(entries) <= 10
        done, lost, now = [], [], self.clock.monotonic()
        for entry in entries:
            receipt, seconds = entry
            message = next((each for each in self.lying if each.receipt == receipt), None)
            if (
                message is None
                or receipt in self.refused
                or message.visible_at <= now
                or now + seconds - message.received_at > SQS_LONGEST
            ):
                lost.append(entry)
                continue
            message.visible_at = now + seconds
            self.hidden.append(entry)
            done.append(entry)
        return Answers(done, [], lost)

    def _asked(self, name: str) -> None:
        self.asked[name] += 1
        if name in self.failures:
            raise self.failures[name]
