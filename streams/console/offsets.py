"""What the workers' group has committed of ``events`` and ``retries``, asked now and again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.clock import Clock
from streams.core.foreign_text import foreign_text
from streams.kafka.connection import aiokafka_options
from streams.kafka.settings import KafkaSettings

# A worker commits every few seconds.
EVERY_SECONDS = 5.0

ANSWER_SECONDS = 10.0

REASON_LENGTH = 300


class Offsets:
    """``committed``: by partition; what the group has never committed is left out. ``failure``: why
    it is not known, None when it is."""

    def __init__(
        self, settings: KafkaSettings, partitions: Mapping[str, int], clock: Clock
    ) -> None:
        """``partitions``: how many each of the topics has."""
        self.committed: Mapping[TopicPartition, int] = {}
        self.failure: str | None = "Kafka has not answered yet"
        self._settings = settings
        # Asked for all, the embedded broker answers nothing that aiokafka can read.
        self._places = [
            TopicPartition(topic, number)
            for topic, count in partitions.items()
            for number in range(count)
        ]
        self._clock = clock

    async def run(self) -> None:
        """Never returns."""
        while True:
            admin = AIOKafkaAdminClient(**aiokafka_options(self._settings))
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await admin.start()
                while True:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await self._ask(admin)
                    await self._clock.sleep(EVERY_SECONDS)
            except (KafkaError, TimeoutError) as failure:
                self.failure = foreign_text(repr(failure), REASON_LENGTH)
            finally:
                await admin.close()
            await self._clock.sleep(EVERY_SECONDS)

    async def _ask(self, admin: AIOKafkaAdminClient) -> None:
        offsets = await admin.list_consumer_group_offsets(
            self._settings.app_id, partitions=self._places
        )
        self.committed = {at: each.offset for at, each in offsets.items() if each.offset >= 0}
        self.failure = None
