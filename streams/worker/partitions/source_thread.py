"""The consumer's thread, which commits each offset with the life of its log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

import aiokafka
import aiokafka.errors
from faust.types import TP

from streams.worker.partitions.group_thread import GroupThread
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.starting_point import Found

log = logging.getLogger(__name__)

# How long an assignment waits for the beginning and end of all partitions. A partition that has no
# leader does not answer, and must not keep the others from being read.
RANGE_SECONDS = 10.0

# How long an assignment waits for the commit of the offsets that were put right. If that fails, the
# next start puts them right again.
SIGN_SECONDS = 5.0


class SourceThread(GroupThread):
    """``lives``: the life that is committed with the offset of each source partition."""

    lives: Mapping[TP, str] = {}

    def partitions(self, topic: str) -> int | None:
        """How many partitions a topic has; None before that is known."""
        found = self._ensure_consumer().partitions_for_topic(topic)
        return None if found is None else len(found)

    async def on_start(self) -> None:
        await super().on_start()
        consumer = self._ensure_consumer()
        commit = consumer.commit

        async def commit_with_lives(offsets: Mapping[Any, Any]) -> None:
            # Faust's driver leaves the metadata empty (test_faust_consumer.py).
            await commit(
                {
                    at: aiokafka.structs.OffsetAndMetadata(
                        committed.offset, self.lives.get(TP(at.topic, at.partition), "")
                    )
                    for at, committed in offsets.items()
                }
            )

        consumer.commit = commit_with_lives

    async def found(self, tps: Iterable[TP]) -> dict[TP, Found]:
        """The committed offset of each partition, and what the broker has of the partition."""
        committed = await self.call_thread(self._committed, list(tps))
        try:
            kept = await asyncio.wait_for(self.kept(committed), RANGE_SECONDS)
        except (TimeoutError, aiokafka.errors.KafkaError) as failure:
            log.warning(
                "where it begins and ends is not known of every partition: committed offsets are "
                "taken as they are",
                extra={"error": repr(failure)},
            )
            kept = {tp: OffsetRange(at, at) for tp, (at, _) in committed.items() if at is not None}
            if fresh := committed.keys() - kept.keys():
                kept |= await self.kept(fresh)
        return {
            tp: Found(offset, metadata, *kept[tp]) for tp, (offset, metadata) in committed.items()
        }

    async def sign(self, offsets: Mapping[TP, int]) -> None:
        """Commit these offsets with their lives. A failure is only logged."""
        if not offsets:
            return
        try:
            await asyncio.wait_for(self.call_thread(self._sign, offsets), SIGN_SECONDS)
        except (TimeoutError, aiokafka.errors.KafkaError) as failure:
            log.warning(
                "offsets that were put right could not be committed: the next start puts them "
                "right again",
                extra={"error": repr(failure)},
            )

    def stands_at(self, tp: TP) -> int | None:
        """The offset that is fetched next; None while aiokafka looks for it."""
        state = self._state(tp)
        return state.position if state is not None and state.has_valid_position else None

    async def _sign(self, offsets: Mapping[TP, int]) -> None:
        await self._ensure_consumer().commit(
            {
                aiokafka.TopicPartition(tp.topic, tp.partition): (
                    aiokafka.structs.OffsetAndMetadata(offset, "")
                )
                for tp, offset in offsets.items()
            }
        )

    async def _committed(self, tps: Iterable[TP]) -> dict[TP, tuple[int | None, str]]:
        tps = list(tps)
        answer = await self._ensure_consumer()._coordinator.fetch_committed_offsets(
            [aiokafka.TopicPartition(tp.topic, tp.partition) for tp in tps]
        )
        committed_offsets = {
            TP(at.topic, at.partition): (committed.offset, committed.metadata or "")
            for at, committed in answer.items()
            if committed.offset >= 0
        }
        return {tp: committed_offsets.get(tp, (None, "")) for tp in tps}
