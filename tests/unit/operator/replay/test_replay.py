"""Which records of the topics a replay takes into account."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from streams.core.decision import Policy
from streams.core.records import Decision, Reason, Source
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.operator.replay import replay
from streams.operator.replay.past import InteractionsReading
from streams.operator.replay.replay import Stretch, survey
from streams.wire.outcomes import encode_outcome
from tests.support.world import COMPLETED, event
from tests.unit.operator.replay.outcomes import outcome

TOPICS = TopicNames("shop.")
SETTINGS = KafkaSettings("127.0.0.1:1", TOPICS, "shop", 60.0)
READING = InteractionsReading(Policy(code=None))

# 2026-01-05T08:00:00Z.
NOON = 1_767_600_000_000
MINUTE = 60_000


class Kafka:
    """Two topics with one partition. ``decided_at``: when the outcome lies there, by the worker's
    clock."""

    def __init__(self, came_at: int, decided_at: int, **changes: Any) -> None:
        decided = outcome(Source(TOPICS.events, 0, 0), **changes)
        self._records = {
            TOPICS.events: (came_at, event(**COMPLETED)),
            TOPICS.outcomes: (decided_at, encode_outcome(decided)),
        }

    async def partitions_of(self, settings: KafkaSettings, topic: str) -> int:
        return 1

    async def read_topic(
        self,
        settings: KafkaSettings,
        topic: str,
        partitions: Iterable[int],
        *,
        since: int,
        until: int | None = None,
    ) -> AsyncGenerator[ConsumerRecord]:
        at, value = self._records[topic]
        if at >= since and (until is None or at < until):
            yield ConsumerRecord(topic, 0, 0, at, 0, b"i-1", value, None, 0, 0, ())


async def surveyed(monkeypatch: pytest.MonkeyPatch, kafka: Kafka) -> replay.Survey:
    monkeypatch.setattr(replay, "read_topic", kafka.read_topic)
    monkeypatch.setattr(replay, "partitions_of", kafka.partitions_of)
    return await survey(SETTINGS, Stretch(NOON), READING)


@pytest.mark.parametrize("behind", [0, 9 * MINUTE])
async def test_a_call_is_decided_also_by_a_worker_whose_clock_is_behind(
    monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    """Left to the workers, it would never be asked about."""
    found = await surveyed(monkeypatch, Kafka(NOON + 1, NOON + 2 - behind))
    assert (found.undecided, len(found.asked)) == ([], 1)

    patched = {"decision": Decision.PATCHED, "reason": Reason.ELIGIBLE}
    found = await surveyed(monkeypatch, Kafka(NOON + 1, NOON + 2 - behind, **patched))
    assert (found.undecided, len(found.coded)) == ([], 1)


async def test_an_event_before_the_stretch_is_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await surveyed(monkeypatch, Kafka(NOON - 1, NOON + 2))
    assert (found.records, found.questions) == (0, [])
