"""How much of what is possible the worker gets through, beside the textbook agent; one run.

    python -m benchmarks.throughput [--latency-ms 100] [--in-flight 100] [--records 3000] [--kafka]

Completed voice calls of distinct interactions: a GET and a PATCH each, so a record takes twice the
latency and ``in flight / (2 x latency)`` records a second are possible. The rate is that of the
outcomes' own timestamps in Kafka, first to last. Embedded broker, or Apache Kafka with --kafka.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import aiokafka
import click
import msgspec

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.settings import Settings

ROOT = Path(__file__).resolve().parent.parent

# The textbook agent gets through about 1 / (2 x latency) records a second; so many are enough.
TEXTBOOK_RECORDS = 40

START_SECONDS = 60.0


@dataclass(frozen=True)
class Rate:
    """Records and the time from the first outcome to the last."""

    records: int
    seconds: float

    @property
    def per_second(self) -> float:
        return (self.records - 1) / self.seconds


@contextmanager
def process(*command: str, env: Mapping[str, str], cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A child that is gone afterwards; its first line of stdout can be read."""
    child = subprocess.Popen(command, env=env, cwd=cwd, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def announced(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().partition("=")[2].strip()


@contextmanager
def broker(kafka: bool, home: Path) -> Iterator[str]:
    if not kafka:
        env = dict(os.environ)
        with process(sys.executable, "-m", "streams", "broker", env=env, cwd=ROOT) as child:
            yield announced(child)
        return
    script = [sys.executable, str(ROOT / "scripts" / "kafka")]
    at = ["--dir", str(home / "kafka")]
    up = subprocess.run([*script, "up", *at], stdout=subprocess.PIPE, text=True, check=True)
    try:
        yield up.stdout.partition("=")[2].strip()
    finally:
        subprocess.run([*script, "down", "--delete", *at], check=True)


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


async def measure(settings: Settings, records: int, *, of: str = "") -> Rate:
    """Wait for an outcome of so many interactions, of those whose id begins like this."""
    consumer = aiokafka.AIOKafkaConsumer(
        settings.topics.outcomes,
        bootstrap_servers=settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    stamps: dict[bytes, int] = {}
    deadline = time.monotonic() + START_SECONDS + records
    try:
        while len(stamps) < records:
            if time.monotonic() > deadline:
                raise click.ClickException(f"only {len(stamps)} of {records} outcomes came")
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                wanted = (each for each in batch if each.key.startswith(of.encode()))
                stamps.update({each.key: each.timestamp for each in wanted})
    finally:
        await consumer.stop()
    return Rate(records, (max(stamps.values()) - min(stamps.values())) / 1000)


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
