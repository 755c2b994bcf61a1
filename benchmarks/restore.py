"""How long a worker takes to read its table from the changelog. Needs Apache Kafka.

    python -m benchmarks.restore [--records 100000]

What another worker faces when one dies and takes its disk with it: so many records in the
changelog, none of them on the disk. Beside it the same worker on the disk that it has then. From
the start of the process until it is ready; `nothing to read` is a start on an empty changelog.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import click

from benchmarks.harness import ROOT, broker, process
from streams.core.records import (
    Basis,
    Decision,
    InteractionRecord,
    Reason,
    Seen,
    Verdict,
    encode_record,
)
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from streams.worker.state.table import changelog
from tests.support.workers import free_port

# Longest start that is waited for.
READY_SECONDS = 300.0
POLL_SECONDS = 0.05

# Records queued at the producer at once.
AT_ONCE = 1_000


def record(number: int) -> InteractionRecord:
    """A call that is over and was patched, as the table keeps it."""
    verdict = Verdict(
        Decision.PATCHED,
        Reason.ELIGIBLE,
        Basis.API,
        disposition_code_id="benchmark",
        patch_status=200,
        decided_at="2026-01-01T00:00:00.000Z",
    )
    return InteractionRecord(
        interaction_id=str(uuid.UUID(int=number)),
        seen=Seen(),
        interaction_type="voice",
        state="completed",
        settled=verdict,
        verdict=verdict,
        last_offset=number,
        events=9,
        first_seen_at=round(time.time() * 1000),
        updated_at=round(time.time() * 1000),
    )


async def fill(settings: Settings, records: int) -> None:
    """Put so many records into the changelog, where their keys belong."""
    publisher = KafkaPublisher(settings.kafka, client_id="benchmark")
    await publisher.start()
    try:
        for first in range(0, records, AT_ONCE):
            chunk = [record(number) for number in range(first, min(records, first + AT_ONCE))]
            await asyncio.gather(
                *(
                    publisher.publish(
                        Message(
                            changelog(settings.app_id),
                            key=each.interaction_id.encode(),
                            value=encode_record(each),
                        )
                    )
                    for each in chunk
                )
            )
    finally:
        await publisher.stop()


async def ready(settings: Settings) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{settings.worker_port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # it does not listen yet
            await asyncio.sleep(POLL_SECONDS)


def start(settings: Settings, env: Mapping[str, str], home: Path) -> float:
    """Seconds until a worker that is started now is ready; it is ended then."""
    began = time.monotonic()
    with process(sys.executable, "-m", "streams", "worker", env=env, cwd=home):
        asyncio.run(asyncio.wait_for(ready(settings), READY_SECONDS))
        return time.monotonic() - began


@click.command()
@click.option("--records", default=100_000, show_default=True, type=click.IntRange(1))
def main(records: int) -> None:
    with tempfile.TemporaryDirectory() as directory, broker(True, Path(directory)) as servers:
        home = Path(directory)
        app_id = f"restore-{uuid.uuid4().hex[:8]}"
        named = {
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "GENESYS_CLOUD_BASE_URL": "http://127.0.0.1:9",
            "GENESYS_CLOUD_CLIENT_ID": "benchmark",
            "GENESYS_CLOUD_CLIENT_SECRET": "benchmark",
            "DISPOSITION_CODE_ID": "benchmark",
            "TOPIC_PREFIX": f"{app_id}.",
            "APP_ID": app_id,
            "DATA_DIR": str(home / "data"),
            "WORKER_PORT": str(free_port()),
            "LOG_LEVEL": "warning",
        }
        settings = Settings.load(
            _env_file=None, **{name.lower(): value for name, value in named.items()}
        )
        env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
        apply_topics(settings.kafka)
        empty = start(settings, env, home)
        asyncio.run(fill(settings, records))
        whole = start(settings, {**env, "DATA_DIR": str(home / "lost")}, home)
        kept = start(settings, {**env, "DATA_DIR": str(home / "lost")}, home)
    print(f"nothing to read                {empty:7.2f} s")
    print(f"{records:,} records, no disk       {whole:7.2f} s")
    print(f"the same disk again            {kept:7.2f} s")
    print(f"restored                       {records / (whole - empty):7,.0f} records/s")


if __name__ == "__main__":
    main()
