"""Sends one dead letter back, as ``dead-letters redrive`` does, signed by who did so."""

from __future__ import annotations

from contextlib import aclosing

from streams.clock import Clock
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.settings import KafkaSettings
from streams.operator.redrive import redrive
from streams.wire.dead_letters import Letter
from streams.wire.retries import Signed


class Redriving:
    """A producer is made for each letter: a person sends one a minute at most."""

    def __init__(self, settings: KafkaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def send(self, letter: Letter, signed: Signed) -> None:
        """Returns once Kafka has it. Raises KafkaError."""
        client_id = f"{self._settings.app_id}-console"
        publisher = KafkaPublisher(self._settings, client_id=client_id)
        await publisher.start()
        try:
            topics, clock = self._settings.topics, self._clock
            sending = redrive([letter], publisher, topics, clock, per_second=1, signed=signed)
            async with aclosing(sending) as sent:
                async for _ in sent:
                    pass
        finally:
            await publisher.stop()
