"""A textbook Faust agent for events that cost no call: one table on RocksDB, one send.

    python -m benchmarks.programs.faust_table worker --without-web     settings as the worker's

Written as Faust's documentation writes it: JSON by its own serializer, a table with its changelog,
at-least-once as Faust gives it. For events that cost a call there is benchmarks/textbook.py.
"""

from __future__ import annotations

from typing import Any

import faust

from benchmarks.programs.rule import settle
from streams.kafka.topics import verify_topics
from streams.settings import Settings


def build(settings: Settings, partitions: int) -> faust.App:
    app = faust.App(
        settings.app_id,
        broker=f"kafka://{settings.kafka_bootstrap_servers}",
        store="rocksdb://",
        datadir=str(settings.data_dir),
        autodiscover=False,
        topic_partitions=partitions,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
    )
    events = app.topic(settings.topics.events, key_serializer="raw", value_serializer="json")
    outcomes = app.topic(settings.topics.outcomes, key_serializer="raw", value_serializer="json")
    interactions = app.Table("interactions", key_type=str, partitions=partitions)

    @app.agent(events)
    async def decide(stream: Any) -> None:
        async for each in stream.events():
            key, message = each.key.decode(), each.message
            record, outcome = settle(
                interactions.get(key),
                each.value,
                message.topic,
                message.partition,
                message.offset,
            )
            interactions[key] = record
            await outcomes.send(key=each.key, value=outcome)

    return app


def main() -> None:
    settings = Settings.load()
    build(settings, verify_topics(settings.kafka).partitions).main()


if __name__ == "__main__":
    main()
