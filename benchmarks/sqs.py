"""Events a second from a queue into Kafka, beside those over HTTP, in one run. Embedded broker, and
moto's server as AWS.

    python -m benchmarks.sqs [--events 10000]

The rate over the queue is moto's and not the bridge's: moto is one Python process that gets
slower with each message in its queue, so the queue is kept short and filled as it empties.
What an event costs the bridge's own CPU can be compared. Exit 1 unless every event is in Kafka once
or more and the queue is empty.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import click

from benchmarks.bridge import JSON, cpu_seconds, until_ready
from benchmarks.failing import event
from benchmarks.harness import ROOT, broker, process
from streams.bridge.sqs.batches import batches
from streams.kafka.admin import TopicsAdmin
from streams.kafka.reader import read_topic
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.aws import Queue, moto
from tests.support.workers import eventually, free_port

# Requests at once over HTTP: as many as make the bridge busy.
SENDERS = 64

# Messages that the queue has at most, so that moto hands one out within some 10 ms.
QUEUED = 40

# Seconds. A message whose hand-out was lost on the way holds up the end for so long.
VISIBILITY = 30

# Ten thousand events through moto on two cores that others use as well.
PATIENCE_SECONDS = 1800.0


@dataclass(frozen=True)
class Way:
    """What one way took: seconds, the bridge's own CPU, and records in the topic."""

    seconds: float
    cpu: float
    records: int


async def records(settings: Settings) -> int:
    """How many the topic has."""
    cluster = await asyncio.to_thread(TopicsAdmin(settings.kafka).cluster)
    topic = settings.topics.events
    partitions = range(cluster.topics[topic].partitions)
    return len([each async for each in read_topic(settings.kafka, topic, partitions)])


async def over_http(environment: Mapping[str, str], events: Sequence[str]) -> Way:
    settings, env = _own(environment)
    url = f"http://127.0.0.1:{settings.bridge_port}"
    with process(sys.executable, "-m", "streams", "bridge", "http", env=env, cwd=ROOT) as child:
        await until_ready(url)
        left = iter(events)
        began, cpu = time.monotonic(), cpu_seconds(child.pid)
        async with aiohttp.ClientSession(url) as session:

            async def send() -> None:
                for body in left:
                    async with session.post("/events", data=body, headers=JSON) as answer:
                        answer.raise_for_status()

            await asyncio.gather(*(send() for _ in range(SENDERS)))
        seconds, cpu = time.monotonic() - began, cpu_seconds(child.pid) - cpu
    return Way(seconds, cpu, await records(settings))


async def over_sqs(environment: Mapping[str, str], events: Sequence[str], home: Path) -> Way:
    settings, env = _own(environment)
    url = f"http://127.0.0.1:{settings.bridge_port}"
    with moto(home / "moto.log") as aws:
        queue = aws.queue(visibility=VISIBILITY)
        env = {**env, **aws.environment, "BRIDGE_QUEUE_URL": queue.url}
        with process(sys.executable, "-m", "streams", "bridge", "sqs", env=env, cwd=ROOT) as child:
            await until_ready(url)
            began, cpu = time.monotonic(), cpu_seconds(child.pid)
            await asyncio.to_thread(fill, queue, events)
            await eventually(queue.is_empty, PATIENCE_SECONDS, "the queue is empty", every=0.5)
            seconds, cpu = time.monotonic() - began, cpu_seconds(child.pid) - cpu
    return Way(seconds, cpu, await records(settings))


def fill(queue: Queue, events: Sequence[str]) -> None:
    """Send the events, never more at once than moto can bear."""
    for batch in batches(events):
        while sum(queue.counts()) > QUEUED - len(batch):
            time.sleep(0.02)
        queue.send(*batch)


def _own(environment: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    """A port and topics for one way alone, and the bridge's environment."""
    named = {
        **environment,
        "TOPIC_PREFIX": f"bridge-{uuid.uuid4().hex[:8]}.",
        "BRIDGE_PORT": str(free_port()),
        "LOG_LEVEL": "warning",
    }
    given = {name.lower(): value for name, value in named.items()}
    settings = Settings.load(_env_file=None, **given)
    apply_topics(settings.kafka)
    return settings, {**os.environ, **named, "PYTHONPATH": str(ROOT)}


async def run(count: int) -> bool:
    events = [event(f"call-{number}").decode() for number in range(count)]
    with tempfile.TemporaryDirectory() as home, broker(False, Path(home)) as servers:
        environment = {"KAFKA_BOOTSTRAP_SERVERS": servers}
        ways = {
            "HTTP": await over_http(environment, events),
            "SQS": await over_sqs(environment, events, Path(home)),
        }
    print(f"{count} events     events/s   CPU of one   records")
    for name, way in ways.items():
        each = way.cpu / count * 1000
        print(f"over {name:9s} {count / way.seconds:9.0f} {each:9.2f} ms {way.records:9d}")
    return all(way.records >= count for way in ways.values())


@click.command()
@click.option("--events", default=10_000, show_default=True, type=click.IntRange(1))
def main(events: int) -> None:
    if not asyncio.run(run(events)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
