"""How much of the API's budget is used, and how often it is exceeded. Needs Apache Kafka.

    python -m benchmarks.budget [--minutes 5] [--workers 1] [--per-minute 300]

More eligible calls than the budget can serve wait in the topic before the workers start: each costs
a GET and a PATCH. The simulated API counts in windows of a minute, gives its rate headers, and
answers 429 beyond. With several workers they share one budget. Measured from the first request on.
Exit 1 unless

* at least USED_SHARE of what the budget allowed in that time was answered with success,
* less than REFUSED_SHARE of the requests was answered with 429,
* no request came inside a Retry-After.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from confluent_kafka import Producer

from benchmarks.throughput import ROOT, broker, process
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.topics import apply_topics
from streams.local.simulator.api import Simulator
from streams.local.simulator.latency import Latency
from streams.local.simulator.server import serving
from streams.settings import Settings

USED_SHARE = 0.97
REFUSED_SHARE = 0.005

# As an API over the internet.
LATENCY = Latency(150, 0.4)

# A worker that sends nothing for so long has not come up.
START_SECONDS = 60.0
LOOK_SECONDS = 0.05

# Calls that wait for each request the budget allows: four times as many as it can serve, for a call
# takes two, so that the backlog lies there to the end and lanes are full throughout.
WAITING = 2


def truth(number: int) -> dict[str, Any]:
    """A call that is over and was given nothing."""
    times = {"startTime": "2026-01-05T10:00:00.000Z", "endTime": "2026-01-05T10:01:00.000Z"}
    return {"id": f"call-{number}", "type": "voice", "state": "completed", "metadata": times}


def load(settings: Settings, interactions: int) -> None:
    """Put the end of so many calls into the topic."""
    apply_topics(settings.kafka)
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )
    for number in range(interactions):
        interaction_id = f"call-{number}"
        detail = {"interactionId": interaction_id, "sequenceId": 1, "state": "completed"}
        body = {"detail-type": UPDATE_DETAIL_TYPE, "detail": {**detail, "interactionType": "voice"}}
        producer.produce(
            settings.topics.events, key=interaction_id, value=msgspec.json.encode(body)
        )
        producer.poll(0)
    if left := producer.flush(START_SECONDS):
        raise click.ClickException(f"{left} events were not acknowledged")


@contextmanager
def workers(settings: Settings, number: int, home: Path) -> Iterator[None]:
    """So many workers as processes, which share the budget."""
    shared = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "GENESYS_CLOUD_BASE_URL": str(settings.genesys_cloud_base_url),
        "GENESYS_CLOUD_CLIENT_ID": "benchmark",
        "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
        "GENESYS_BUDGET_SHARED_BY": str(number),
        "DISPOSITION_CODE_ID": "benchmark",
        "TOPIC_PREFIX": settings.topic_prefix,
        "APP_ID": settings.app_id,
        "WORKER_PORT": "0",
        "LOG_LEVEL": "warning",
        "PYTHONPATH": str(ROOT),
    }
    with ExitStack() as stack:
        for each in range(number):
            env = {**os.environ, **shared, "DATA_DIR": str(home / f"data-{each}")}
            stack.enter_context(
                process(sys.executable, "-m", "streams", "worker", env=env, cwd=home)
            )
        yield


async def measure(simulator: Simulator, seconds: float) -> Counter[str]:
    """Answers by status in so many seconds from the first request on."""
    async with asyncio.timeout(START_SECONDS):
        while not answers(simulator.traffic.counted()):  # noqa: ASYNC110 - counts, signals nothing
            await asyncio.sleep(LOOK_SECONDS)
    await asyncio.sleep(seconds)
    return answers(simulator.traffic.counted())


def answers(counted: Mapping[str, Any]) -> Counter[str]:
    """Answers of GET and PATCH by status."""
    routes = counted["routes"]
    return Counter(routes["GET"]) + Counter(routes["PATCH"])


async def run(minutes: float, number: int, per_minute: int) -> bool:
    """Measure and print; whether all goals are met."""
    interactions = int(per_minute * minutes * WAITING)
    simulator = Simulator(
        (truth(each) for each in range(interactions)),
        latency=LATENCY,
        requests_per_minute=per_minute,
        one_budget=True,
    )
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        async with serving(simulator) as url:
            app_id = f"budget-{uuid.uuid4().hex[:8]}"
            settings = Settings.load(
                _env_file=None,
                kafka_bootstrap_servers=servers,
                genesys_cloud_base_url=url,
                topic_prefix=f"{app_id}.",
                app_id=app_id,
            )
            await asyncio.to_thread(load, settings, interactions)
            print(f"{interactions:,} calls wait; {number} worker(s), {per_minute} a minute")
            with workers(settings, number, Path(home)):
                counted = await measure(simulator, minutes * 60)
    good = counted["200"] / (per_minute * minutes)
    refused = counted["429"] / counted.total()
    inside = simulator.traffic.counted()["requestsInsideRetryAfter"]
    twice = sum(each["patchesApplied"] > 1 for each in simulator.store.counted().values())
    print(f"answered          {dict(counted)}")
    print(f"budget used       {good:8.2%}  (goal {USED_SHARE:.0%})")
    print(f"answered 429      {refused:8.2%}  (goal below {REFUSED_SHARE:.1%})")
    print(f"in a Retry-After  {inside:8d}  (goal 0)")
    print(f"PATCHed twice     {twice:8d}  (goal 0)")
    return good >= USED_SHARE and refused < REFUSED_SHARE and not inside and not twice


@click.command()
@click.option("--minutes", default=5.0, show_default=True, type=click.FloatRange(1))
@click.option("--workers", "number", default=1, show_default=True, type=click.IntRange(1, 8))
@click.option("--per-minute", default=300, show_default=True, type=click.IntRange(10))
def main(minutes: float, number: int, per_minute: int) -> None:
    if not asyncio.run(run(minutes, number, per_minute)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
