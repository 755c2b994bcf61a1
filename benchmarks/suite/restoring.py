"""How fast a table is read from the changelog, by a worker without its disk and by bare consumers.

What another worker faces when one dies and takes its disk with it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import urlopen

import aiokafka
import click

from benchmarks.contenders.contender import Contender
from benchmarks.contenders.python import WORKER
from benchmarks.suite.cluster import Topics, topics
from benchmarks.suite.contest import USUAL, api, contest
from benchmarks.suite.figures import RESTORED
from streams.core.records import (
    Basis,
    Decision,
    InteractionRecord,
    Reason,
    Seen,
    Verdict,
    encode_record,
)

# Longest start that is waited for: a million records at 5,000 a second.
READY_SECONDS = 240.0
POLL_SECONDS = 0.05

PARTITIONS = USUAL.partitions


@dataclass(frozen=True, slots=True)
class WorkerRestores:
    """From the start of a worker on an empty disk until it is ready, less such a start on an empty
    changelog."""

    records: int

    @property
    def needs(self) -> Sequence[Contender]:
        return (WORKER,)

    def measure(self, servers: str) -> Mapping[str, float]:
        with topics(servers, PARTITIONS) as made, api(0.0, patch=False) as asked:
            empty = _seconds_until_ready(made, asked.url)
            made.put(made.changelog, _changelog(self.records))
            whole = _seconds_until_ready(made, asked.url)
        if whole <= empty:
            raise click.ClickException(
                f"{self.records} records are too few: ready in {whole:.2f} s with them, "
                f"in {empty:.2f} s without"
            )
        return {RESTORED: self.records / (whole - empty)}


@dataclass(frozen=True, slots=True)
class ConsumerReads:
    """The same changelog read by a consumer that does nothing with it. ``read``: from servers and
    topics, how many records came."""

    records: int
    read: Callable[[Topics], int]

    @property
    def needs(self) -> Sequence[Contender]:
        return ()

    def measure(self, servers: str) -> Mapping[str, float]:
        with topics(servers, PARTITIONS) as made:
            made.put(made.changelog, _changelog(self.records))
            began = time.monotonic()
            came = self.read(made)
            seconds = time.monotonic() - began
        if came != self.records:
            raise click.ClickException(f"{came} of {self.records} records were read")
        return {RESTORED: self.records / seconds}


def with_librdkafka(made: Topics) -> int:
    return sum(1 for _ in made.read(made.changelog))


def with_aiokafka(made: Topics) -> int:
    """The client that Faust stands on."""
    return asyncio.run(_with_aiokafka(made))


async def _with_aiokafka(made: Topics) -> int:
    consumer = aiokafka.AIOKafkaConsumer(
        made.changelog, bootstrap_servers=made.servers, auto_offset_reset="earliest"
    )
    left = wanted = sum(made.ends(made.changelog).values())
    await consumer.start()
    try:
        while left > 0:
            batches = await asyncio.wait_for(consumer.getmany(timeout_ms=500), READY_SECONDS)
            left -= sum(len(batch) for batch in batches.values())
    finally:
        await consumer.stop()
    return wanted - left


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
    now = round(time.time() * 1000)
    return InteractionRecord(
        interaction_id=str(uuid.UUID(int=number)),
        seen=Seen(),
        interaction_type="voice",
        state="completed",
        settled=verdict,
        verdict=verdict,
        last_offset=number,
        events=9,
        first_seen_at=now,
        updated_at=now,
    )


def _changelog(records: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(records):
        each = record(number)
        yield each.interaction_id.encode(), encode_record(each)


def _seconds_until_ready(made: Topics, url: str) -> float:
    """Of a worker that is started now, on an empty disk; it is ended then."""
    with contest(WORKER, USUAL, made, url) as running:
        ready = f"http://127.0.0.1:{running.settings[0]['WORKER_PORT']}/readyz"
        began = time.monotonic()
        while time.monotonic() - began < READY_SECONDS:
            try:
                with urlopen(ready) as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            except URLError:
                pass  # it does not listen yet, or says that it is not ready
            time.sleep(POLL_SECONDS)
        raise running.failed(f"not ready after {READY_SECONDS:.0f} s")
