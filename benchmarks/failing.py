"""One interaction in ten fails for good: what do the others lose of their rate? Apache Kafka.

    python -m benchmarks.failing [--records 12000] [--latency-ms 100]

The end of each call costs a GET and a PATCH. The same calls twice on the same cluster: all of them
well, and one in ten answered 500 for ever. Those are put off again and again; what counts is the
time until the other nine in ten have their outcome.

First as fast as the worker can, which shows what is left: three GETs in vain in the place of two
calls leave 20 of 21. Then as a stream of half that rate. Exit 1 unless the others keep GOAL of
their rate in the stream.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.budget import truth
from benchmarks.throughput import ROOT, broker, measure, process
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.latency import Latency
from streams.local.simulator.server import serving
from streams.settings import Settings

GOAL = 0.95

# More than they are ever asked for.
FOR_EVER = Fault(status=500, times=100_000)

UNLIMITED = 10_000_000


def event(interaction_id: str) -> bytes:
    detail = {"interactionId": interaction_id, "sequenceId": 1, "state": "completed"}
    return msgspec.json.encode(
        {"detail-type": UPDATE_DETAIL_TYPE, "detail": {**detail, "interactionType": "voice"}}
    )


def name_of(number: int) -> str:
    return f"bad-{number}" if number % 10 == 0 else f"call-{number}"


async def send(settings: Settings, names: Sequence[str], per_second: float | None) -> None:
    """Every event, in order; all at once without a rate."""
    publisher = KafkaPublisher(settings.kafka, client_id="benchmark")
    await publisher.start()
    acknowledged = []
    began = time.monotonic()
    try:
        for number, each in enumerate(names):
            if per_second and (wait := began + number / per_second - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            acknowledged.append(
                await publisher.enqueue(
                    Message(settings.topics.events, key=each.encode(), value=event(each))
                )
            )
        await asyncio.gather(*acknowledged)
    finally:
        await publisher.stop()


async def rate(
    servers: str,
    records: int,
    latency_ms: float,
    *,
    failing: bool,
    per_second: float | None = None,
) -> float:
    """Outcomes a second of the nine in ten, with all events there or sent at this rate."""
    names = [name_of(number) for number in range(records)]
    bad = [each for each in names if each.startswith("bad-")]
    truths: list[dict[str, Any]] = [{**truth(0), "id": each} for each in names]
    scripts = tuple(Script((FOR_EVER,), each) for each in bad if failing)
    simulator = Simulator(
        truths,
        plan=FaultPlan(scripts=scripts),
        latency=Latency(latency_ms, 0.2),
        requests_per_minute=UNLIMITED,
    )
    app_id = f"failing-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as home:
        async with serving(simulator) as url:
            named = {
                "KAFKA_BOOTSTRAP_SERVERS": servers,
                "GENESYS_CLOUD_BASE_URL": url,
                "GENESYS_CLOUD_CLIENT_ID": "benchmark",
                "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
                "DISPOSITION_CODE_ID": "benchmark",
                "TOPIC_PREFIX": f"{app_id}.",
                "APP_ID": app_id,
                "DATA_DIR": str(Path(home) / "data"),
                "WORKER_PORT": "0",
                "LOG_LEVEL": "error",
            }
            settings = Settings.load(
                _env_file=None, **{name.lower(): value for name, value in named.items()}
            )
            await asyncio.to_thread(apply_topics, settings.kafka)
            sending = asyncio.create_task(send(settings, names, per_second))
            if per_second is None:
                await sending
            env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
            with process(sys.executable, "-m", "streams", "worker", env=env, cwd=Path(home)):
                measured = await measure(settings, records - len(bad), of="call-")
            await sending
    return measured.per_second


async def pair(
    servers: str, records: int, latency_ms: float, per_second: float | None = None
) -> tuple[float, float]:
    """The rate with all calls well, and what it is with one in ten that fails."""
    well, beside = [
        await rate(servers, records, latency_ms, failing=failing, per_second=per_second)
        for failing in (False, True)
    ]
    print(f"all well            {well:8.1f} outcomes/s of the nine in ten")
    print(f"one in ten fails    {beside:8.1f}")
    print(f"ratio               {beside / well:8.2f}", flush=True)
    return well, beside


async def run(records: int, latency_ms: float) -> bool:
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        print("as fast as it can")
        fastest, _ = await pair(servers, records, latency_ms)
        print(f"a stream of half that rate  (goal of the ratio: {GOAL})")
        well, beside = await pair(servers, records, latency_ms, fastest / 0.9 / 2)
    return beside >= GOAL * well


@click.command()
@click.option("--records", default=12_000, show_default=True, type=click.IntRange(100))
@click.option("--latency-ms", default=100.0, show_default=True)
def main(records: int, latency_ms: float) -> None:
    if not asyncio.run(run(records, latency_ms)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
