"""How long `genesys-streams explain ID` takes at ten million outcomes. Needs Apache Kafka.

    python -m benchmarks.explain [--outcomes 10000000]

Six days of events and outcomes, nine to an interaction, in topics of twelve partitions. The command
is asked, as a process, for interactions of different ages, and for one that never was. The disk
needs some 600 bytes for an outcome. Exit 1 unless an interaction of today is told within GOAL.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
import confluent_kafka

from benchmarks.console import outcomes
from benchmarks.harness import ROOT, broker
from streams.kafka.connection import librdkafka_options
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import apply_topics
from streams.settings import Settings
from tests.support.world import event

# A person waits so long for an answer without asking whether there will be one.
GOAL = 15.0

DAYS, DAY = 6, 86_400.0
EACH = 9

# Of a benchmark that hangs.
LONGEST = 1_200.0


def name_of(interaction: int) -> str:
    return f"{interaction:08x}-5b1c-4a44-9a3e-0c6f2b1e7d55"


def records(number: int, now: float) -> Iterator[tuple[str, int, bytes, bytes]]:
    """Name, epoch milliseconds, event and outcome, oldest first."""
    # A record is told from others by its id alone: what else it has is that of one of these.
    patterns = [(each.key or b"", each.value or b"") for each in islice(outcomes(900, now), 900)]
    events = [event(n, interactionId="NAME", state="connected") for n in range(EACH)]
    for nth in range(number):
        name = name_of(nth // EACH)
        key, value = patterns[nth % len(patterns)]
        at = now - DAYS * DAY * (1 - nth / number)
        its = name.encode()
        yield (
            name,
            round(at * 1000),
            events[nth % EACH].replace(b"NAME", its),
            value.replace(key, its),
        )


def fill(settings: KafkaSettings, number: int) -> None:
    producer = confluent_kafka.Producer(
        {
            **librdkafka_options(settings),
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 50,
            "queue.buffering.max.messages": 200_000,
        }
    )
    topics, refused = settings.topics, list[str]()

    def acknowledged(error: confluent_kafka.KafkaError | None, _: object) -> None:
        if error is not None:
            refused.append(str(error))

    for name, at, told, decided in records(number, time.time()):
        for topic, value in ((topics.events, told), (topics.outcomes, decided)):
            while True:
                try:
                    producer.produce(topic, value, name, timestamp=at, on_delivery=acknowledged)
                    break
                except BufferError:
                    producer.poll(0.05)
        producer.poll(0)
    producer.flush(LONGEST)
    if refused or len(producer):
        raise click.ClickException(f"not all were acknowledged: {refused[:1]} {len(producer)}")


def asked(servers: str, name: str) -> tuple[float, str]:
    """Seconds, and the last line."""
    env = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": servers, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "streams", "explain", name]
    began = time.monotonic()
    done = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, text=True, check=True, timeout=LONGEST
    )
    return time.monotonic() - began, done.stdout.splitlines()[-1]


@click.command()
@click.option("--outcomes", "number", default=10_000_000, show_default=True)
def main(number: int) -> None:
    with tempfile.TemporaryDirectory() as home, broker(True, Path(home)) as servers:
        settings = Settings.load(_env_file=None, kafka_bootstrap_servers=servers).kafka
        apply_topics(settings)
        began = time.monotonic()
        fill(settings, number)
        print(
            f"{number:,} events and as many outcomes, written in {time.monotonic() - began:.0f} s"
        )
        last = number // EACH - 1
        slowest = 0.0
        for what, name in (
            ("of an hour ago", name_of(round(last * (1 - 1 / 24 / DAYS)))),
            ("of three days ago", name_of(last // 2)),
            ("of the oldest day", name_of(last // 12)),
            ("that never was", "00000000-0000-4000-8000-000000000000"),
        ):
            seconds, line = asked(servers, name)
            print(f"{what:<18} {seconds:6.1f} s   {line[:90]}", flush=True)
            slowest = slowest or seconds
    if slowest > GOAL:
        raise SystemExit(f"more than {GOAL:.0f} s")


if __name__ == "__main__":
    main()
