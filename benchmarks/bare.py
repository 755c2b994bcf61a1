"""A bare Faust app, for comparison: one agent, one table, everything else as Faust has it by
default. Run by rebalance.py.

    python -m benchmarks.bare worker      settings as the real worker's

Each record is waited for as long as a call of the API takes, counted in a table on RocksDB, and
published in the outcomes topic.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import faust
import msgspec

from streams.core.records import Source
from streams.settings import Settings

# For the seconds of one call; the real worker's API takes them itself.
CALL_SECONDS = "BARE_CALL_SECONDS"


class Published(msgspec.Struct):
    """What an outsider reads of an outcome."""

    source: Source
    decision: str = "published"
    reason: str = ""


def build(settings: Settings, partitions: int, call_seconds: float) -> faust.App:
    """An app with the group, session and topics of the real worker."""
    app = faust.App(
        settings.app_id,
        broker=f"kafka://{settings.kafka_bootstrap_servers}",
        broker_session_timeout=settings.kafka_session_timeout_seconds,
        broker_heartbeat_interval=settings.kafka_session_timeout_seconds / 6,
        consumer_group_instance_id=settings.worker_instance_id,
        consumer_auto_offset_reset="earliest",
        store="rocksdb://",
        datadir=str(settings.data_dir),
        autodiscover=False,
        web_enabled=False,
        canonical_url=settings.advertised_url(),
        topic_partitions=partitions,
        topic_disable_leader=True,
    )
    events = app.topic(settings.topics.events, key_serializer="raw", value_serializer="raw")
    outcomes = app.topic(settings.topics.outcomes, key_serializer="raw", value_serializer="raw")
    counts = app.Table("interactions", default=int, partitions=partitions)

    @app.agent(events)
    async def count(stream: Any) -> None:
        async for event in stream.events():
            await asyncio.sleep(call_seconds)
            key, message = event.key.decode(), event.message
            counts[key] += 1
            outcome = Published(Source(message.topic, message.partition, message.offset))
            await outcomes.send(key=event.key, value=msgspec.json.encode(outcome))

    return app


def main() -> None:
    build(Settings.load(), 12, float(os.environ[CALL_SECONDS])).main()


if __name__ == "__main__":
    main()
