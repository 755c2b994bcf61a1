"""The cluster that the other tests here stand on: records survive the loss of any one node."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.clusters import KafkaCluster, RunningKafka
from tests.support.workers import eventually

PARTITION = 0

# Less than the six after which the other nodes no longer name a node that is silent.
FROZEN_SECONDS = 4.0


async def create_topic(bootstrap_servers: str, replicas: int) -> str:
    topic = f"test.{uuid4().hex[:12]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()
    return topic


async def in_sync_replicas(bootstrap_servers: str, topic: str) -> set[int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
    finally:
        await admin.close()
    # None: the broker that was asked has not heard of the new topic yet.
    return {node for partition in described["partitions"] for node in partition["isr"]}


async def all_in_sync(bootstrap_servers: str, topic: str) -> None:
    async def holds() -> bool:
        return await in_sync_replicas(bootstrap_servers, topic) == {1, 2, 3}

    await eventually(holds, 30.0, "all three nodes have what the leader has")


async def produce(bootstrap_servers: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True
    ) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=PARTITION)


async def consume(bootstrap_servers: str, topic: str) -> list[bytes]:
    """Every value up to the end of the partition."""
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        partition = TopicPartition(topic, PARTITION)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]


async def test_one_node_gives_back_what_it_took(kafka: RunningKafka) -> None:
    topic = await create_topic(kafka.bootstrap_servers, replicas=1)
    values = [b"first", b"second", b"third"]

    await produce(kafka.bootstrap_servers, topic, values)

    assert await consume(kafka.bootstrap_servers, topic) == values


async def test_no_record_is_lost_when_any_node_of_three_is_killed(kafka3: KafkaCluster) -> None:
    servers = kafka3.bootstrap_servers
    topic = await create_topic(servers, replicas=3)
    sent: list[bytes] = []

    for node in (1, 2, 3):
        kafka3.kill(node)
        values = [b"while %d is down: %d" % (node, number) for number in range(10)]
        await produce(servers, topic, values)
        sent += values
        kafka3.start(node)

        await all_in_sync(servers, topic)

    assert await consume(servers, topic) == sent


async def test_healed_means_that_each_node_answers(kafka3: KafkaCluster) -> None:
    """Also one that runs and does not answer: frozen, it would be named by the others."""
    kafka3.freeze(2)
    try:
        healing = asyncio.create_task(asyncio.to_thread(kafka3.heal))
        _, waiting = await asyncio.wait({healing}, timeout=FROZEN_SECONDS)
        assert waiting, "healed while a node was frozen"
    finally:
        kafka3.thaw(2)
    await healing


async def test_a_node_that_a_test_left_dead_is_started_for_the_next(kafka3: KafkaCluster) -> None:
    kafka3.kill(2)

    kafka3.heal()

    topic = await create_topic(kafka3.bootstrap_servers, replicas=3)
    await all_in_sync(kafka3.bootstrap_servers, topic)
