"""A client whose brokers are all gone goes back to where it began."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from streams.kafka import bootstrap
from streams.kafka.bootstrap import describe, return_to_bootstrap

Broker = tuple[int, str, int, None]

OLD: list[Broker] = [(1, "old", 9092, None), (2, "old", 9093, None)]
NEW: list[Broker] = [(1, "new", 9092, None)]


@dataclass
class Metadata:
    """A broker's answer: one topic with two partitions, one of them without a leader."""

    brokers: list[Broker]
    API_VERSION: int = 1
    controller_id: int = 1

    @property
    def topics(self) -> list[Any]:
        return [(0, "events", False, [(0, 0, 1, [1], [1]), (5, 1, -1, [2], [])])]


@dataclass
class Client:
    """An AIOKafkaClient that has started with the old brokers. ``answers``: of whom is there."""

    answers: dict[Any, list[Broker]] = field(default_factory=dict)
    asked: list[Any] = field(default_factory=list)
    hang: set[Any] = field(default_factory=set)
    _bootstrap_servers: str = "first:9092,second:9092"

    def __post_init__(self) -> None:
        self.cluster = ClusterMetadata()
        self.cluster.update_metadata(Metadata(OLD))
        return_to_bootstrap(self)

    async def _metadata_update(self, cluster: Any, topics: Any) -> bool:
        """aiokafka's own asks those that it knows."""
        for broker in self.cluster.brokers():
            if broker.nodeId in self.answers:
                cluster.update_metadata(await self.send(broker.nodeId, None))
                return True
        return False

    async def send(self, node: Any, request: MetadataRequest | None) -> Metadata:
        self.asked.append(node)
        assert self.cluster.broker_metadata(node) is not None, "aiokafka could not reach it"
        if node in self.hang:
            await asyncio.Event().wait()
        if node not in self.answers:
            raise KafkaConnectionError("refused")
        return Metadata(self.answers[node])


async def test_those_it_knows_come_first() -> None:
    client = Client({1: OLD, "bootstrap-0": NEW})
    assert await client._metadata_update(client.cluster, {"events"})
    assert client.asked == [1]


async def test_brokers_at_other_addresses_are_found_through_any_bootstrap_server() -> None:
    client = Client({"bootstrap-1": NEW})

    assert await client._metadata_update(client.cluster, {"events"})

    assert client.asked == ["bootstrap-0", "bootstrap-1"]
    assert [broker.host for broker in client.cluster.brokers()] == ["new"]


async def test_nobody_is_there() -> None:
    client = Client()
    assert not await client._metadata_update(client.cluster, {"events"})
    assert {broker.host for broker in client.cluster.brokers()} == {"old"}


async def test_a_description_leaves_the_client_as_it_is() -> None:
    client = Client({"bootstrap-0": NEW})

    described = await describe(client, ["events"])

    assert described is not None
    assert described.partitions_for_topic("events") == {0, 1}
    assert described.available_partitions_for_topic("events") == {0}
    assert {broker.host for broker in client.cluster.brokers()} == {"old"}


async def test_one_that_hangs_keeps_nobody_from_asking_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bootstrap, "ANSWER_SECONDS", 0.01)
    client = Client({"bootstrap-1": NEW}, hang={1, 2, "bootstrap-0"})
    assert await describe(client, ["events"]) is not None
    assert await describe(Client(), ["events"]) is None
