"""What comes behind a record that a broker has refused."""

from __future__ import annotations

from collections.abc import Callable

import aiokafka
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from streams.errors import RecordTooLarge
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.settings import Settings
from tests.support.clusters import RunningKafka

SMALL, LARGE = b"small", bytes(5_000)


@pytest.fixture
def topic(kafka: RunningKafka, make_settings: Callable[..., Settings]) -> str:
    """One that takes no large records."""
    name = make_settings().topics.outcomes
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    new = NewTopic(name, 2, 1, config={"max.message.bytes": "2000"})
    admin.create_topics([new])[name].result(20)
    return name


async def test_its_partition_goes_on(
    kafka: RunningKafka, make_settings: Callable[..., Settings], topic: str
) -> None:
    settings = make_settings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    publisher = KafkaPublisher(settings.kafka, client_id="test")

    async def publish(value: bytes, partition: int = 0) -> int:
        return (await publisher.publish(Message(topic, b"i-1", value, partition=partition))).offset

    await publisher.start()
    producer = publisher.client
    try:
        assert await publish(SMALL) == 0
        for at in (1, 2):
            with pytest.raises(RecordTooLarge):
                await publish(LARGE)
            assert await publish(SMALL) == at
            assert await publish(SMALL, 1) == at - 1
        assert publisher.client is producer, "the same one went on"
    finally:
        await publisher.stop()


async def test_without_us_it_would_not(kafka: RunningKafka, topic: str) -> None:
    """What ``streams.kafka.sequences`` is for: when this fails, it is not needed any more."""
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, enable_idempotence=True
    )
    await producer.start()
    try:
        await producer.send_and_wait(topic, SMALL, partition=0)
        with pytest.raises(aiokafka.errors.MessageSizeTooLargeError):
            await producer.send_and_wait(topic, LARGE, partition=0)
        with pytest.raises(aiokafka.errors.OutOfOrderSequenceNumber):
            await producer.send_and_wait(topic, SMALL, partition=0)
    finally:
        await producer.stop()
