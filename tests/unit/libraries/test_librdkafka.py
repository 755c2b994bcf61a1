"""What librdkafka does by itself: its client, and its mock cluster, the embedded broker."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from typing import Any

import aiokafka
import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.fetch import FetchRequest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition, Uuid
from confluent_kafka.admin import AdminClient, NewTopic

from streams.local.broker import EmbeddedBroker

ANSWER_SECONDS = 10.0


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def topic() -> str:
    return f"test.{uuid.uuid4().hex}"


def admin(servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": servers, "log_level": 0})


def test_a_topics_id_is_base64_with_plus_and_slash() -> None:
    assert str(Uuid(-1, -1)) == "/" * 21 + "w"
    assert str(Uuid(0, 0)) == "A" * 22, "of a broker that has no ids"


def test_a_list_of_servers_that_is_none_is_accepted_and_leads_nowhere() -> None:
    client = admin("broker:port:x")
    with pytest.raises(KafkaException):
        client.list_topics(timeout=0.2)


def test_without_a_port_a_server_has_9092() -> None:
    reported: list[KafkaError] = []
    options: Any = {"bootstrap.servers": "nowhere.invalid", "log_level": 0}
    client = AdminClient(options | {"error_cb": reported.append})
    deadline = time.monotonic() + ANSWER_SECONDS
    while not reported and time.monotonic() < deadline:
        client.poll(0.1)
    assert "nowhere.invalid:9092" in reported[0].str()


def test_the_embedded_broker_is_known_by_its_clusters_id(servers: str) -> None:
    cluster = admin(servers).list_topics(timeout=ANSWER_SECONDS).cluster_id
    assert cluster is not None
    assert cluster.startswith("mockCluster")


def test_the_embedded_broker_makes_a_topic_of_four_partitions_when_it_is_asked_for(
    servers: str, topic: str
) -> None:
    described = admin(servers).list_topics(topic, timeout=ANSWER_SECONDS)
    assert len(described.topics[topic].partitions) == 4


def test_the_embedded_broker_creates_no_topic(servers: str, topic: str) -> None:
    client = admin(servers)
    with pytest.raises(KafkaException) as refused:
        client.create_topics([NewTopic(topic, 7, 1)], request_timeout=0.5)[topic].result()
    assert refused.value.args[0].code() == KafkaError._TIMED_OUT


def test_the_embedded_broker_drops_records_beyond_some_5_mib(servers: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": servers, "log_level": 0})
    for _ in range(7):
        producer.produce(topic, value=b"x" * 900_000, partition=0)
        assert producer.flush(ANSWER_SECONDS) == 0
    consumer = Consumer({"bootstrap.servers": servers, "group.id": topic, "log_level": 0})
    try:
        first, end = consumer.get_watermark_offsets(
            TopicPartition(topic, 0), timeout=ANSWER_SECONDS
        )
    finally:
        consumer.close()
    assert (first, end) == (2, 7)


# On a busy machine the record may come before the fetch many times.
TRIES = 50


async def test_the_embedded_broker_holds_a_fetch_for_all_of_its_time(
    servers: str, topic: str
) -> None:
    """Also when a record comes meanwhile, which the answer then lacks."""
    wait = 0.5
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.client._wait_on_metadata(topic)
        for end in range(TRIES):
            took, records = await _fetched(producer, topic, end, wait)
            if not records:
                break  # else the record came before the fetch
    assert took >= wait
    assert records == b""


async def _fetched(
    producer: aiokafka.AIOKafkaProducer, topic: str, end: int, wait: float
) -> tuple[float, bytes]:
    """Write a record while a fetch from the partition's end waits; how long the fetch took, and the
    records it gave."""
    client, partition = producer.client, 0
    leader = client.cluster.leader_for_partition(aiokafka.TopicPartition(topic, partition))
    # On a connection of its own, or the record would wait behind it.
    own = ConnectionGroup.COORDINATION
    assert await client.ready(leader, group=own)
    wanted = [(topic, [(partition, end, 1 << 20)])]
    asked_at = time.monotonic()
    fetch = asyncio.create_task(
        client.send(leader, FetchRequest(int(wait * 1000), 1, 1 << 20, 0, wanted), group=own)
    )
    await producer.send_and_wait(topic, b"value", partition=partition)
    assert time.monotonic() - asked_at < wait
    answer = await asyncio.wait_for(fetch, ANSWER_SECONDS)
    ((_, ((_, error, *_, records),)),) = answer.topics
    assert error == 0
    return time.monotonic() - asked_at, records or b""
