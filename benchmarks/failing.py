"""One interaction in ten fails for good: what do the others lose of their rate? Apache Kafka.

    python -m benchmarks.failing [--records 4000] [--latency-ms 100]

The end of each call costs a GET and a PATCH. Twice on the same cluster: with all calls well, and
with as many that are well and one in ten more whose GET is answered 500 for ever. Those are put off
again and again; what counts is the time until all that are well have their outcome. Exit 1 unless
the rate of the second run is at least GOAL of the first.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.budget import truth
from benchmarks.throughput import ROOT, broker, measure, process
from streams.envelope import UPDATE_DETAIL_TYPE
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


async def load(settings: Settings, records: int, *, failing: bool) -> None:
    """The calls that are well, and among them, evenly, one in ten more that is not."""
    await asyncio.to_thread(apply_topics, settings)
    publisher = KafkaPublisher(settings, client_id="benchmark")
    await publisher.start()
    try:
        ids = []
        for number in range(records):
            ids.append(f"call-{number}")
            if failing and number % 10 == 0:
                ids.append(f"bad-{number}")
        await asyncio.gather(
            *(
                publisher.publish(settings.topics.events, key=each.encode(), value=event(each))
                for each in ids
            )
        )
    finally:
        await publisher.stop()


async def rate(servers: str, records: int, latency_ms: float, *, failing: bool) -> float:
    """Outcomes a second of the calls that are well."""
    bad = [f"bad-{number}" for number in range(0, records, 10)] if failing else []
    truths: list[dict[str, Any]] = [truth(number) for number in range(records)]
    truths += [{**truth(0), "id": each} for each in bad]
    plan = FaultPlan(scripts=tuple(Script((FOR_EVER,), each) for each in bad))
    simulator = Simulator(
        truths, plan=plan, latency=Latency(latency_ms, 0.2), requests_per_minute=UNLIMITED
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
            await load(settings, records, failing=failing)
            env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
            with process(sys.executable, "-m", "streams", "worker", env=env, cwd=Path(home)):
                told = await measure(settings, records, of="call-")
    return told.per_second


async def run(records: int, latency_ms: float) -> bool:
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        well = await rate(servers, records, latency_ms, failing=False)
        beside = await rate(servers, records, latency_ms, failing=True)
    ratio = beside / well
    print(f"all well                 {well:8.1f} outcomes/s")
    print(f"one in ten more fails    {beside:8.1f} outcomes/s of those that are well")
    print(f"ratio                    {ratio:8.2f}  (goal {GOAL})")
    return ratio >= GOAL


@click.command()
@click.option("--records", default=4_000, show_default=True, type=click.IntRange(100))
@click.option("--latency-ms", default=100.0, show_default=True)
def main(records: int, latency_ms: float) -> None:
    if not asyncio.run(run(records, latency_ms)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
