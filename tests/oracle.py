"""The judge outside the program: the topics read raw, the group's committed offsets, a verdict."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka.connection import aiokafka_options
from streams.settings import Settings

Place = tuple[int, int]
"""Partition and offset of a source record."""


@dataclass
class Topic:
    """All records of a topic as they are, in the order of each partition."""

    records: list[aiokafka.structs.ConsumerRecord[bytes, bytes]] = field(default_factory=list)

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in self.records if record.value is not None]


async def read_all(settings: Settings, topic: str) -> Topic:
    """From the beginning to the end as it is now."""
    consumer = aiokafka.AIOKafkaConsumer(**aiokafka_options(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        numbers = consumer.partitions_for_topic(topic) or set()
        partitions = [aiokafka.TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        read = Topic()
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                batch = await consumer.getmany(partition, timeout_ms=1000)
                read.records.extend(batch.get(partition, []))
        return read
    finally:
        await consumer.stop()


async def committed(settings: Settings) -> dict[int, int]:
    """The worker group's committed offset of each partition of the events."""
    admin = AIOKafkaAdminClient(**aiokafka_options(settings))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(settings.app_id)
    finally:
        await admin.close()
    events = settings.topics.events
    return {tp.partition: at.offset for tp, at in offsets.items() if tp.topic == events}


def outcomes_by_place(outcomes: Topic) -> Mapping[Place, list[dict[str, Any]]]:
    """Every outcome, under the source record that it speaks of."""
    places: dict[Place, list[dict[str, Any]]] = defaultdict(list)
    for outcome in outcomes.json():
        source = outcome["source"]
        places[(source["partition"], source["offset"])].append(outcome)
    return places


def one_answer_each(places: Mapping[Place, list[dict[str, Any]]]) -> list[str]:
    """What breaks "same record, same answer" (promise 6), one line each."""
    faults = []
    for place, told in places.items():
        answers = {(each["outcomeId"], each["decision"], each["reason"]) for each in told}
        if len(answers) > 1:
            faults.append(f"{place}: told differently {answers}")
        if not all(each["final"] for each in told):
            faults.append(f"{place}: not final")
    return faults
