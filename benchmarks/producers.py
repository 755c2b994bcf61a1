"""What a record costs that is sent to Kafka, by the ways in which it could be.

    python -m benchmarks.producers [--records 50000] [--rounds 3]

Groups of a thousand records of an outcome's size, keyed, to a topic of twelve partitions; the next
group when the one before is acknowledged, as the worker does it. All ways on one Apache Kafka, in
turns. docs/decisions/producer.md is made from it.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
import confluent_kafka

from benchmarks.harness import broker
from benchmarks.suite.cluster import Topics, topics
from streams.kafka.message import Message
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.settings import KafkaSettings

# As many as a group of the worker has at most (streams/worker/group_commit.py).
GROUP = 1_000

# Of an outcome, with its headers, on average.
VALUE = b'{"outcomeId":"' + b"x" * 800 + b'"}'
HEADERS = [("traceparent", b"00-" + b"a" * 49), ("ce_type", b"b" * 40), ("ce_id", b"c" * 36)]

ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Cost:
    """Of one record: microseconds from the first to the last, and of this process' CPU."""

    wall: float
    cpu: float


Way = Callable[[Topics, Sequence[Sequence[Message]]], None]


def groups(topic: str, records: int) -> Iterator[list[Message]]:
    for first in range(0, records, GROUP):
        yield [
            Message(topic, key=b"i-%d" % number, value=VALUE, headers=HEADERS)
            for number in range(first, min(first + GROUP, records))
        ]


def _with_aiokafka(made: Topics, work: Sequence[Sequence[Message]], *, together: bool) -> None:
    async def send() -> None:
        settings = KafkaSettings(
            bootstrap_servers=made.servers,
            topics=made.names,
            app_id=made.run,
            state_ttl_seconds=90_000,
        )
        publisher = KafkaPublisher(settings, client_id="benchmark")
        await publisher.start()
        try:
            for group in work:
                if together:
                    await asyncio.gather(*await publisher.enqueue_all(group))
                else:
                    await asyncio.gather(*[await publisher.enqueue(each) for each in group])
        finally:
            await publisher.stop()

    asyncio.run(send())


def one_by_one(made: Topics, work: Sequence[Sequence[Message]]) -> None:
    """aiokafka's ``send``, a future each."""
    _with_aiokafka(made, work, together=False)


def in_batches(made: Topics, work: Sequence[Sequence[Message]]) -> None:
    """Whole batches handed to aiokafka: the worker's way."""
    _with_aiokafka(made, work, together=True)


def _with_librdkafka(
    made: Topics, work: Sequence[Sequence[Message]], *, transactional: bool
) -> None:
    options = {"bootstrap.servers": made.servers, "enable.idempotence": True, "linger.ms": 5}
    if transactional:
        options["transactional.id"] = made.run
    producer = confluent_kafka.Producer(options)
    if transactional:
        producer.init_transactions(ANSWER_SECONDS)
    failed: list[object] = []
    stored: list[int | None] = []

    def delivered(error: object, message: confluent_kafka.Message) -> None:
        if error is not None:
            failed.append(error)
        stored.append(message.offset())

    for group in work:
        if transactional:
            producer.begin_transaction()
        for each in group:
            producer.produce(
                each.topic,
                key=each.key,
                value=each.value,
                headers=list(each.headers),
                on_delivery=delivered,
            )
        producer.flush(ANSWER_SECONDS)
        if transactional:
            producer.commit_transaction(ANSWER_SECONDS)
    if failed or len(stored) != sum(map(len, work)):
        raise click.ClickException(f"{len(stored)} records stored; {failed[:1]}")


def librdkafka(made: Topics, work: Sequence[Sequence[Message]]) -> None:
    """librdkafka's idempotent producer, with a callback each."""
    _with_librdkafka(made, work, transactional=False)


def in_transactions(made: Topics, work: Sequence[Sequence[Message]]) -> None:
    """The same, a transaction for each group."""
    _with_librdkafka(made, work, transactional=True)


WAYS: dict[str, Way] = {
    "aiokafka, one by one": one_by_one,
    "aiokafka, in batches": in_batches,
    "librdkafka": librdkafka,
    "librdkafka, in transactions": in_transactions,
}


def measured(way: Way, servers: str, records: int) -> Cost:
    with topics(servers, 12) as made:
        work = list(groups(made.names.outcomes, records))
        wall, cpu = time.perf_counter(), time.process_time()
        way(made, work)
        took, used = time.perf_counter() - wall, time.process_time() - cpu
        stored = sum(made.ends(made.names.outcomes).values())
        markers = stored - records
        if markers < 0 or (markers and way is not in_transactions):
            raise click.ClickException(f"{stored} offsets for {records} records")
    return Cost(took / records * 1e6, used / records * 1e6)


@click.command()
@click.option("--records", default=50_000, show_default=True, type=click.IntRange(1_000))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
def main(records: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as directory, broker(True, Path(directory)) as servers:
        costs: dict[str, list[Cost]] = {name: [] for name in WAYS}
        for turn in range(rounds):
            names = list(WAYS)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                costs[name].append(measured(WAYS[name], servers, records))
    for name, found in costs.items():
        wall, cpu = median(each.wall for each in found), median(each.cpu for each in found)
        spread = f"{min(each.wall for each in found):.1f} to {max(each.wall for each in found):.1f}"
        click.echo(f"{name}: {wall:.1f} us a record ({spread}), of them {cpu:.1f} us CPU")


if __name__ == "__main__":
    main()
