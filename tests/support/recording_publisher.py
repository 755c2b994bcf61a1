"""A publisher that remembers what was sent, and when."""

from __future__ import annotations

from typing import Any

from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, Publisher
from tests.support.scripted import LeapingClock


class Recording(Publisher):
    """Remembers what was sent, and when."""

    def __init__(self, clock: LeapingClock) -> None:
        self._clock = clock
        self.sent: list[Message] = []
        self.at: list[float] = []

    async def publish(self, message: Message) -> Acknowledged:
        self.sent.append(message)
        self.at.append(self._clock.now)
        return Acknowledged(message.topic, message.partition or 0, 0)

    async def enqueue(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("each is acknowledged before the next")
