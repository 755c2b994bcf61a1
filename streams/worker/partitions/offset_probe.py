"""Asks the broker which records a partition really has, apart from the group's own consumer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiokafka
from faust.types import TP

from streams.errors import OffsetHole
from streams.kafka.connection import aiokafka_options
from streams.kafka.fetching import read_on
from streams.kafka.settings import KafkaSettings
from streams.skipping import Place

# A worker that can not find out within this time is better started again than left waiting.
ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class First:
    """The offset of the first record found, and where its partition begins. Missing offsets below
    the beginning were deleted, by retention or by hand; those above it never had a record, or were
    compacted."""

    offset: int
    beginning: int


class BrokerHoleInspector:
    """HoleInspector with a consumer of its own, outside the group, for one fetch. ``skipped``: the
    records that are to end unread."""

    def __init__(self, settings: KafkaSettings, skipped: frozenset[Place]) -> None:
        self._options = aiokafka_options(settings)
        self._skipped = skipped

    async def first_at_or_after(self, tp: TP, offset: int) -> First:
        """Raises OffsetHole when the broker gives no record in time."""
        consumer = aiokafka.AIOKafkaConsumer(
            **self._options, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        # This consumer skips what the group's own consumer skips; that one reports what can not be
        # read.
        read_on(consumer, lambda *_: None, self._skipped)
        try:
            partition = aiokafka.TopicPartition(tp.topic, tp.partition)
            consumer.assign([partition])
            consumer.seek(partition, offset)
            record = await asyncio.wait_for(consumer.getone(partition), ANSWER_SECONDS)
            beginnings = await asyncio.wait_for(
                consumer.beginning_offsets([partition]), ANSWER_SECONDS
            )
            return First(record.offset, beginnings[partition])
        except TimeoutError:
            raise OffsetHole(
                f"{tp.topic}/{tp.partition}: records after offset {offset} are missing, and the "
                f"broker gave none within {ANSWER_SECONDS:.0f} s to tell why"
            ) from None
        finally:
            await consumer.stop()
