"""From a bus of Genesys Cloud over the rule and the queue of ``deploy/aws`` into Kafka, whatever
happens to the bridge, and whatever happens to Kafka."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence

import aiokafka
import pytest

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.admin import TopicsAdmin
from streams.kafka.reader import read_topic
from streams.settings import Settings
from tests.support.aws import Aws, Deployed
from tests.support.bridges import LISTENING, Program, Start, until_ready
from tests.support.workers import eventually

EVENTS = 200
KILLS = 4
# A message in the hands of a bridge that was killed comes again after so long.
VISIBILITY = 3

pytestmark = pytest.mark.sqs


def details(count: int) -> list[dict[str, object]]:
    return [
        {"interactionId": f"i-{number}", "sequenceId": number, "state": "completed"}
        for number in range(count)
    ]


async def records(settings: Settings, topic: str) -> Sequence[aiokafka.ConsumerRecord]:
    cluster = await asyncio.to_thread(TopicsAdmin(settings.kafka).cluster)
    if topic not in cluster.topics:
        return []
    partitions = range(cluster.topics[topic].partitions)
    return [record async for record in read_topic(settings.kafka, topic, partitions)]


def begin(start: Start, aws: Aws, deployed: Deployed, settings: Settings) -> Program:
    return start(
        "--queue-url",
        deployed.outputs["QueueUrl"],
        **aws.environment,
        KAFKA_BOOTSTRAP_SERVERS=settings.kafka_bootstrap_servers,
        TOPIC_PREFIX=settings.topic_prefix,
        APP_ID=settings.app_id,
    )


async def test_none_is_lost_while_the_bridge_is_killed(
    start: Start, aws: Aws, settings: Settings
) -> None:
    deployed = Deployed(aws, visibility=VISIBILITY)
    chance = random.Random(20261126)
    bridge = begin(start, aws, deployed, settings)
    await until_ready((await asyncio.to_thread(bridge.wait_for, LISTENING.pattern))[1])

    def send() -> None:
        deployed.put(UPDATE_DETAIL_TYPE, *details(EVENTS // 2))
        # An event of ours that is none, one for others, and bytes that did not come over the rule.
        deployed.put(UPDATE_DETAIL_TYPE, {"interactionId": "../oauth", "sequenceId": 1})
        deployed.put("v2.another", {"interactionId": "i-other"})
        deployed.queue.send("poison")
        deployed.put(UPDATE_DETAIL_TYPE, *details(EVENTS)[EVENTS // 2 :])

    sending = asyncio.create_task(asyncio.to_thread(send))
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.1, 1.5))
        bridge.send(signal.SIGKILL)
        await asyncio.to_thread(bridge.wait, 10)
        bridge = begin(start, aws, deployed, settings)
        await until_ready((await asyncio.to_thread(bridge.wait_for, LISTENING.pattern))[1])
    await sending
    await eventually(deployed.queue.is_empty, 60, "the queue is empty")

    found = Counter(
        record.key.decode() for record in await records(settings, settings.topics.events)
    )
    assert found.keys() == {f"i-{number}" for number in range(EVENTS)}
    letters = {record.value for record in await records(settings, settings.topics.dead_letters)}
    assert b"poison" in letters
    assert len(letters) == 2
    assert deployed.queue_dead_letters.is_empty()
    assert deployed.rule_dead_letters.is_empty()
    bridge.send(signal.SIGTERM)
    assert await asyncio.to_thread(bridge.wait, 10) == 0


async def test_kafka_stalled_for_longer_than_the_visibility_timeout(
    start: Start,
    aws: Aws,
    freezable_broker: Program,
    freezable_servers: str,
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(kafka_bootstrap_servers=freezable_servers)
    deployed = Deployed(aws, visibility=VISIBILITY)
    bridge = begin(start, aws, deployed, settings)
    await until_ready((await asyncio.to_thread(bridge.wait_for, LISTENING.pattern))[1])
    deployed.put(UPDATE_DETAIL_TYPE, *details(20))
    await eventually(deployed.queue.is_empty, 20, "the first are taken")
    before = bridge.resident_mib
    freezable_broker.send(signal.SIGSTOP)
    try:
        await asyncio.to_thread(deployed.put, UPDATE_DETAIL_TYPE, *details(200))
        await eventually(lambda: deployed.queue.counts()[1] > 0, 20, "some are in its hands")
        # The time itself is what is tried here.
        await asyncio.sleep(4 * VISIBILITY)
        visible, held = deployed.queue.counts()
        assert held > 0
        assert visible + held == 200
    finally:
        freezable_broker.send(signal.SIGCONT)
    await eventually(deployed.queue.is_empty, 60, "all are taken")
    assert bridge.resident_mib - before < 50
    found = await records(settings, settings.topics.events)
    assert {record.key.decode() for record in found} == {f"i-{number}" for number in range(200)}
    receives = [int(dict(record.headers)["sqs.receive-count"]) for record in found]
    assert max(receives) <= 3
    assert deployed.queue_dead_letters.is_empty()
