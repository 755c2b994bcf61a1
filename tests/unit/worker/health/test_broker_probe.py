"""What the probe finds out through the consumer's own client, and what it writes down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import (
    KafkaConnectionError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP

from streams.worker.health import broker_probe
from streams.worker.health.broker_probe import (
    NO_ANSWER,
    NO_LEADER,
    NO_POSITION,
    BrokerProbe,
    BrokerView,
)

A, B, C = TP("events", 0), TP("events", 1), TP("retries", 0)

# From this version on the answer to a fetch says where the partition begins.
VERSION = 11


@dataclass
class Kafka:
    """Brokers as an AIOKafkaClient reaches them. ``leaders``: of each partition; -1 for none."""

    leaders: dict[TP, int] = field(default_factory=lambda: {A: 1, B: 2, C: 1})
    ends: dict[TP, int] = field(default_factory=lambda: {A: 10, B: 20, C: 30})
    errors: dict[TP, int] = field(default_factory=dict)
    down: set[int] = field(default_factory=set)
    fetched: list[tuple[int, TP, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = ClusterMetadata()
        self.cluster.update_metadata(self.metadata())

    def metadata(self) -> Any:
        topics: dict[str, list[Any]] = {}
        for tp, leader in self.leaders.items():
            topics.setdefault(tp.topic, []).append((0, tp.partition, leader, [1], [1]))
        return SimpleNamespace(
            API_VERSION=1,
            controller_id=1,
            brokers=[(1, "a", 9092, None), (2, "b", 9092, None)],
            topics=[(0, topic, False, partitions) for topic, partitions in topics.items()],
        )

    async def send(self, node: int, request: Any) -> Any:
        if node in self.down:
            raise KafkaConnectionError("refused")
        if not isinstance(request, FetchRequest):
            return self.metadata()
        answers = []
        for topic, partitions in request.topics:
            answered = []
            for number, offset, _ in partitions:
                tp = TP(topic, number)
                self.fetched.append((node, tp, offset))
                answered.append(
                    (number, self.errors.get(tp, 0), self.ends[tp], 0, 3, None, -1, b"")
                )
            answers.append((topic, answered))
        return SimpleNamespace(API_VERSION=VERSION, topics=answers)


class Positions:
    """An AIOKafkaConsumer, as far as its positions are read."""

    def __init__(self, positions: Mapping[TP, int | None]) -> None:
        self.positions = {aiokafka.TopicPartition(*tp): at for tp, at in positions.items()}
        assignment = SimpleNamespace(tps=self.positions.keys(), state_value=self.state)
        self._subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))

    def state(self, tp: aiokafka.TopicPartition) -> Any:
        at = self.positions[tp]
        return SimpleNamespace(position=at, has_valid_position=at is not None)


class Rig:
    """A probe, and what it looks at."""

    def __init__(self) -> None:
        self.kafka, self.view = Kafka(), BrokerView()
        self.taken_up: dict[TP, int] = {A: 10, B: 20, C: 30}
        self.consumer = Positions({A: 10, B: 20, C: 30})
        self.now = 1000.0
        self.reason: str | None = None
        self.probe = BrokerProbe(
            self.view,
            ("events", "retries"),
            taken_up=lambda: self.taken_up,
            why_not=self._why_not,
            monotonic=lambda: self.now,
        )

    async def _why_not(self) -> str | None:
        return self.reason

    async def look(self) -> None:
        self.now += 5
        await self.probe.look(self.kafka, self.consumer)

    def troubles(self) -> dict[TP, str | None]:
        return {tp: seen.trouble for tp, seen in self.view.partitions.items()}


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_all_is_well(rig: Rig) -> None:
    await rig.look()

    assert rig.view.answered_at == rig.now
    assert rig.view.counts == {"events": 2, "retries": 1}
    assert rig.troubles() == {A: None, B: None, C: None}
    assert (rig.view.partitions[B].begin, rig.view.partitions[B].end) == (3, 20)
    assert set(rig.kafka.fetched) == {(1, A, 10), (2, B, 20), (1, C, 30)}


async def test_a_leader_that_is_down(rig: Rig) -> None:
    await rig.look()
    answered = rig.now
    rig.kafka.down = {2}
    await rig.look()

    assert rig.view.answered_at == rig.now
    assert rig.troubles() == {A: None, B: NO_ANSWER, C: None}
    assert rig.view.partitions[B].answered_at == answered


async def test_a_partition_without_a_leader(rig: Rig) -> None:
    rig.kafka.leaders[B] = -1
    await rig.look()
    first = rig.now
    await rig.look()

    assert rig.troubles()[B] == NO_LEADER
    assert rig.view.leaderless == {B: first}


async def test_nobody_answers(rig: Rig) -> None:
    await rig.look()
    answered = rig.now
    rig.kafka.down = {1, 2}
    await rig.look()

    assert rig.view.answered_at == answered
    assert set(rig.troubles().values()) == {NO_ANSWER}


async def test_it_answers_and_refuses(rig: Rig) -> None:
    rig.kafka.errors = {
        A: TopicAuthorizationFailedError.errno,
        B: NotLeaderForPartitionError.errno,
    }
    await rig.look()

    assert "right to read" in str(rig.troubles()[A])
    assert "NotLeaderForPartitionError" in str(rig.troubles()[B])


async def test_no_position_is_no_good_position(rig: Rig) -> None:
    rig.consumer = Positions({A: None, B: 20})
    await rig.look()

    assert rig.troubles() == {A: NO_POSITION, B: None, C: NO_POSITION}


async def test_a_topic_that_is_gone_and_one_that_has_grown(rig: Rig) -> None:
    await rig.look()
    since = rig.view.counts_since
    await rig.look()
    assert rig.view.counts_since == since

    del rig.kafka.leaders[C]
    rig.kafka.leaders[TP("events", 2)] = 1
    await rig.look()

    assert rig.view.counts == {"events": 3}
    assert rig.view.counts_since == rig.now


async def test_a_log_that_ends_below_what_was_taken_up(rig: Rig) -> None:
    await rig.look()
    rig.kafka.ends[A] = 4
    await rig.look()
    first = rig.now
    await rig.look()

    assert rig.view.partitions[A].short_since == first
    assert rig.view.partitions[A].taken_up == 10


async def test_records_that_came_while_it_was_asked_make_no_log_short(rig: Rig) -> None:
    """What was taken up is read before the broker is asked, not after."""
    send = rig.kafka.send

    async def more_come(node: int, request: Any) -> Any:
        answer = await send(node, request)
        if isinstance(request, FetchRequest):
            rig.taken_up = {**rig.taken_up, A: 99}
        return answer

    rig.kafka.send = more_come  # type: ignore[method-assign]
    await rig.look()

    assert rig.view.partitions[A].short_since is None
    assert rig.view.partitions[A].taken_up == 10


async def test_partitions_given_up_are_forgotten(rig: Rig) -> None:
    await rig.look()
    rig.taken_up = {B: 20}
    await rig.look()

    assert rig.view.partitions.keys() == {B}


async def test_without_a_client_there_is_nothing_that_could_fail_to_answer(rig: Rig) -> None:
    rig.now += 500
    await rig.probe.look(None)
    assert rig.view.answered_at == rig.now


async def test_new_partitions_are_looked_at_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_probe, "NEW_PARTITIONS_SECONDS", 0.0)
    rig.taken_up = {A: 10}
    running = asyncio.create_task(rig.probe.run(lambda: rig.kafka, rig.consumer))
    try:
        await asyncio.wait_for(until(lambda: rig.view.partitions.keys() == {A}), 5)
        rig.taken_up = {A: 10, B: 20}
        await asyncio.wait_for(until(lambda: B in rig.view.partitions), 5)
    finally:
        running.cancel()
    assert rig.now == 1000.0


async def test_a_fault_of_its_own_ends_no_probing(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_probe, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(broker_probe, "NEW_PARTITIONS_SECONDS", 0.0)
    clients: list[Any] = [object(), rig.kafka]

    def client() -> Any:
        return clients.pop(0) if len(clients) > 1 else clients[0]

    running = asyncio.create_task(rig.probe.run(client, rig.consumer))
    try:
        await asyncio.wait_for(until(lambda: rig.view.counts is not None), 5)
    finally:
        running.cancel()
    assert "could not be probed" in caplog.text


async def until(holds: Any) -> None:
    while not holds():  # noqa: ASYNC110  # the test's deadline ends it
        await asyncio.sleep(0)
