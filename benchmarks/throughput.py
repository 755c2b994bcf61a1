"""How much of what is possible the worker gets through, beside the textbook agent; one run.

    python -m benchmarks.throughput [--latency-ms 100] [--in-flight 100] [--records 3000] [--kafka]

Completed voice calls of distinct interactions: a GET and a PATCH each, so a record takes twice the
latency and ``in flight / (2 x latency)`` records a second are possible. The rate is that of the
outcomes' own timestamps in Kafka, first to last. Embedded broker, or Apache Kafka with --kafka.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import click
import msgspec

from benchmarks.harness import ROOT, Rate, announced, broker, measure, process
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.settings import Settings

# The textbook agent gets through about 1 / (2 x latency) records a second; so many are enough.
TEXTBOOK_RECORDS = 40


async def prepare(settings: Settings, simulator: str, records: int) -> None:
    """Register the interactions at the API and put one event of each into the topic."""
    apply_topics(settings.kafka)
    ids = [f"bench-{number}" for number in range(records)]
    async with aiohttp.ClientSession() as session:
        truths = [_truth(interaction_id) for interaction_id in ids]
        async with session.put(f"{simulator}/_simulator/interactions", json=truths) as answer:
            answer.raise_for_status()
    publisher = KafkaPublisher(settings.kafka, client_id="benchmark")
    await publisher.start()
    try:
        await asyncio.gather(
            *(
                publisher.publish(
                    Message(settings.topics.events, key=each.encode(), value=_event(each))
                )
                for each in ids
            )
        )
    finally:
        await publisher.stop()


async def run(module: list[str], base: Mapping[str, str], simulator: str, records: int) -> Rate:
    unique = uuid.uuid4().hex[:8]
    with tempfile.TemporaryDirectory() as data:
        named = {**base, "TOPIC_PREFIX": f"{unique}.", "APP_ID": unique, "DATA_DIR": data}
        settings = Settings.load(
            _env_file=None, **{name.lower(): value for name, value in named.items()}
        )
        await prepare(settings, simulator, records)
        env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
        with process(sys.executable, "-m", *module, env=env, cwd=Path(data)):
            return await measure(settings, records)


@click.command()
@click.option("--latency-ms", default=100.0, show_default=True)
@click.option("--in-flight", default=100, show_default=True)
@click.option("--records", default=3000, show_default=True)
@click.option("--kafka", is_flag=True, help="Apache Kafka instead of the embedded broker.")
@click.option("--goal", default=0.6, show_default=True, help="Exit 1 below this share.")
def main(latency_ms: float, in_flight: int, records: int, kafka: bool, goal: float) -> None:
    possible = in_flight / (2 * latency_ms / 1000)
    with tempfile.TemporaryDirectory() as home, broker(kafka, Path(home)) as servers:
        simulator = ["-m", "streams", "simulator", "--port", "0", "--latency-ms", str(latency_ms)]
        simulator += ["--rate-limit", "10000000"]
        with process(sys.executable, *simulator, env=dict(os.environ), cwd=ROOT) as api:
            url = announced(api)
            base = {
                "KAFKA_BOOTSTRAP_SERVERS": servers,
                "GENESYS_CLOUD_BASE_URL": url,
                "GENESYS_CLOUD_CLIENT_ID": "benchmark",
                "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
                "GENESYS_REQUESTS_PER_MINUTE": "10000000",
                "DISPOSITION_CODE_ID": "benchmark",
                "MAX_IN_FLIGHT": str(in_flight),
                "WORKER_PORT": "0",
                "LOG_LEVEL": "warning",
            }
            textbook = asyncio.run(
                run(
                    ["benchmarks.textbook", "worker", "--without-web", "-l", "error"],
                    base,
                    url,
                    TEXTBOOK_RECORDS,
                )
            )
            ours = asyncio.run(run(["streams", "worker"], base, url, records))
    share, ratio = ours.per_second / possible, ours.per_second / textbook.per_second
    where = "Apache Kafka" if kafka else "embedded broker"
    print(f"{where}, {latency_ms:.0f} ms a call, {in_flight} in flight, {records} records")
    print(f"possible        {possible:8.1f} records/s")
    print(f"worker          {ours.per_second:8.1f} records/s   {share:.2f} of what is possible")
    print(f"textbook agent  {textbook.per_second:8.1f} records/s   worker: {ratio:.0f} times that")
    if share < goal or ratio < 30:
        raise SystemExit(1)


def _truth(interaction_id: str) -> dict[str, Any]:
    return {
        "id": interaction_id,
        "type": "voice",
        "state": "completed",
        "dispositionCode": None,
        "wrapUpCode": None,
        "metadata": {"startTime": "2026-01-05T08:00:00Z", "endTime": "2026-01-05T08:05:00Z"},
        "timeline": [],
    }


def _event(interaction_id: str) -> bytes:
    return msgspec.json.encode(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": UPDATE_DETAIL_TYPE,
            "source": "aws.partner/genesys.com/benchmark",
            "account": "111122223333",
            "time": "2026-01-05T08:05:00Z",
            "region": "eu-central-1",
            "resources": [],
            "detail": {
                "interactionId": interaction_id,
                "sequenceId": 1,
                "interactionType": "voice",
                "state": "completed",
            },
        }
    )


if __name__ == "__main__":
    main()
