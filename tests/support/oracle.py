"""The judge outside the program: the topics read raw, the group's committed offsets, a verdict."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import confluent_kafka
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka.connection import aiokafka_options, librdkafka_options
from streams.local.model import Expected
from streams.settings import Settings

Place = tuple[int, int]
"""Partition and offset of a source record."""


# A broker of the same machine that does not answer by then is gone.
ANSWER_SECONDS = 20.0

# Between two questions for a topic that the broker asked has not heard of yet.
HEARD_OF_SECONDS = 0.1


@dataclass(frozen=True)
class Record:
    """One record as it lies in a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


async def read_all(settings: Settings, topic: str) -> list[Record]:
    """A topic from its beginning to its end as it is now, each partition in order."""
    return await asyncio.to_thread(_read_all, settings, topic)


def _read_all(settings: Settings, topic: str) -> list[Record]:
    consumer = confluent_kafka.Consumer(
        {
            **librdkafka_options(settings.kafka),
            "group.id": "oracle",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    try:
        left: dict[int, int] = {}
        places = []
        for number in partitions_of(consumer, topic):
            at = confluent_kafka.TopicPartition(topic, number)
            at.offset, end = consumer.get_watermark_offsets(at, ANSWER_SECONDS)
            if at.offset < end:
                places.append(at)
                left[number] = end
        if places:
            consumer.assign(places)
        records: list[Record] = []
        while left:
            message = consumer.poll(ANSWER_SECONDS)
            assert message is not None, f"{topic}: nothing came, and {left} are not reached"
            assert message.error() is None, message.error()
            record = record_of(message)
            if record.partition in left:
                records.append(record)
                if record.offset + 1 >= left[record.partition]:
                    del left[record.partition]
        return sorted(records, key=lambda each: (each.partition, each.offset))
    finally:
        consumer.close()


def partitions_of(consumer: confluent_kafka.Consumer, topic: str) -> list[int]:
    """The partitions of a topic that has been created, however lately.

    A broker that has not heard of it yet answers without one: a reader that took that for the
    topic would read nothing, and find it empty. Raises AssertionError.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        found = consumer.list_topics(topic, ANSWER_SECONDS).topics[topic]
        if found.partitions and found.error is None:
            return sorted(found.partitions)
        assert time.monotonic() < deadline, f"{topic}: no partitions: {found.error}"
        time.sleep(HEARD_OF_SECONDS)


def record_of(message: confluent_kafka.Message) -> Record:
    """A message without an error, as librdkafka gives it."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    named = tuple((name, value) for name, value in pairs if isinstance(value, bytes))
    return Record(partition, offset, message.key(), message.value(), named)


async def committed(settings: Settings, topic: str) -> dict[int, int]:
    """The worker group's committed offset of each partition of a topic."""
    admin = AIOKafkaAdminClient(**aiokafka_options(settings.kafka))
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(settings.app_id)
    finally:
        await admin.close()
    return {tp.partition: at.offset for tp, at in offsets.items() if tp.topic == topic}


async def nothing_left(settings: Settings, topic: str) -> bool:
    """Whether the group has finished every record of a topic."""
    finished = await committed(settings, topic)
    records = await read_all(settings, topic)
    return all(each.offset < finished.get(each.partition, 0) for each in records)


def outcomes_by_place(outcomes: Iterable[Record]) -> Mapping[Place, list[dict[str, Any]]]:
    """Every outcome, under the source record that it speaks of."""
    places: dict[Place, list[dict[str, Any]]] = defaultdict(list)
    for record in outcomes:
        assert record.value is not None
        outcome = json.loads(record.value)
        source = outcome["source"]
        places[(source["partition"], source["offset"])].append(outcome)
    return places


def one_answer_each(places: Mapping[Place, list[dict[str, Any]]]) -> list[str]:
    """What breaks "same record, same answer" (promise 6), one line each. Deferrals are none."""
    faults = []
    for place, published in places.items():
        answers = {
            (each["outcomeId"], each["decision"], each["reason"])
            for each in published
            if each["final"]
        }
        if len(answers) > 1:
            faults.append(f"{place}: published differently {answers}")
    return faults


# What an interaction's events may exchange among them when one of them was put off.
_EXCHANGED = frozenset({"patched", "ineligible", "stale"})
_OF_ITS_OWN = "interaction-not-completed"


def agrees(got: Expected, want: Expected, *, put_off: bool) -> bool:
    """Whether a decision is the model's.

    ``put_off``: a record of the interaction was deferred, of which the model knows nothing: a later
    one may have got the code in its stead.
    """
    if got == want:
        return True
    exchanged = got.decision in _EXCHANGED and want.decision in _EXCHANGED
    return put_off and exchanged and _OF_ITS_OWN not in (got.reason, want.reason)
