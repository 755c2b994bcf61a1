"""What every benchmark needs: a broker, processes that are gone afterwards, outcomes a second."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import aiokafka
import click

from streams.settings import Settings

ROOT = Path(__file__).resolve().parent.parent

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
def process(
    *command: str, env: Mapping[str, str], cwd: Path, log: IO[str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A child that is gone afterwards. Its first line of stdout can be read, unless all that it
    writes goes to ``log``."""
    out, error = (subprocess.PIPE, None) if log is None else (log, subprocess.STDOUT)
    child = subprocess.Popen(command, env=env, cwd=cwd, stdout=out, stderr=error, text=True)
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
def broker(kafka: bool, home: Path, *settings: str) -> Iterator[str]:
    """Apache Kafka, one node, with its ``settings`` as KEY=VALUE; or the embedded broker."""
    if not kafka:
        env = dict(os.environ)
        with process(sys.executable, "-m", "streams", "broker", env=env, cwd=ROOT) as child:
            yield announced(child)
        return
    script = [sys.executable, str(ROOT / "scripts" / "kafka")]
    at = ["--dir", str(home / "kafka")]
    at_first = [part for setting in settings for part in ("--set", setting)]
    command = [*script, "up", *at, *at_first]
    up = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    try:
        yield up.stdout.partition("=")[2].strip()
    finally:
        subprocess.run([*script, "down", "--delete", *at], check=True)


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
