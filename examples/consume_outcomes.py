"""Consumes the outcomes topic and handles each outcome once, as any other team's service might.

    python examples/consume_outcomes.py --servers kafka:9092 --group my-reports

It needs aiokafka and nothing of genesys-streams. Delivery is at least once: after a crash of a
worker an outcome may be in the topic twice, and after one of this consumer it is read twice. Both
carry the same ``outcomeId``, so one that was seen is dropped. Prints a JSON line for each that is
new; the one in hand when this process is killed may be printed again.

The file of ids grows with the topic. A service forgets those older than the topic's retention.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiokafka

Outcome = dict[str, Any]


class Seen:
    """The ids of outcomes that were handled, in a file that outlives this process."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)")

    def __contains__(self, outcome_id: str) -> bool:
        found = self._database.execute("SELECT 1 FROM seen WHERE id = ?", (outcome_id,))
        return found.fetchone() is not None

    def add(self, outcome_id: str) -> None:
        """Remember it, on the disk. A service that writes the outcome into a database of its own
        does both in one transaction, and is then exact."""
        with self._database:
            self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (outcome_id,))

    def close(self) -> None:
        self._database.close()


def outcome_of(value: bytes | None) -> Outcome | None:
    """None for what is no outcome: anybody who may write to a topic can put anything there."""
    try:
        found = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    known = isinstance(found, dict) and isinstance(found.get("outcomeId"), str)
    return found if known else None


@asynccontextmanager
async def consuming(
    servers: str, topic: str, group: str
) -> AsyncIterator[aiokafka.AIOKafkaConsumer]:
    """In a group, from the beginning at first; an offset is committed by hand, after the work."""
    consumer = aiokafka.AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def consume(
    consumer: aiokafka.AIOKafkaConsumer, seen: Seen, handle: Callable[[Outcome], None]
) -> None:
    """For ever. The order is what counts: handled, remembered, committed."""
    while True:
        batches = await consumer.getmany(timeout_ms=1000)
        for records in batches.values():
            for record in records:
                outcome = outcome_of(record.value)
                if outcome is None or outcome["outcomeId"] in seen:
                    continue
                if outcome.get("final"):  # else it is a deferral, and the final one is yet to come
                    handle(outcome)
                seen.add(outcome["outcomeId"])
        if batches:
            await consumer.commit()


def show(outcome: Outcome) -> None:
    line = {name: outcome.get(name) for name in ("interactionId", "decision", "reason")}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def main(arguments: argparse.Namespace) -> None:
    seen = Seen(arguments.seen)
    try:
        async with consuming(arguments.servers, arguments.topic, arguments.group) as consumer:
            await consume(consumer, seen, show)
    finally:
        seen.close()


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print every final outcome once.")
    parser.add_argument("--servers", default="localhost:9092")
    parser.add_argument("--topic", default="genesys.interaction.outcomes")
    parser.add_argument("--group", default="consume-outcomes-example")
    parser.add_argument("--seen", type=Path, default=Path("seen-outcomes.sqlite"))
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(main(read_arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
