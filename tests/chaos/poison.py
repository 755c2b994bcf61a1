"""Records that are no event, as another producer might put them into the events topic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import confluent_kafka
import msgspec

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.connection import librdkafka_options
from streams.settings import Settings

# What shows the judge that a record is poison, whatever its bytes look like.
HEADER = "storm.poison"

# One every so often, in seconds: enough for each kind to meet faults, too few to be the load.
PAUSE = (0.5, 3.0)

# Near the topic's limit of 1 MiB, and for a key what no sane producer would use.
HUGE_VALUE_BYTES = 1_000_000
HUGE_KEY_BYTES = 100_000

# A broker that was just killed has its partitions with another by then.
FLUSH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Poison:
    """One bad record."""

    kind: str
    key: bytes | None
    value: bytes | None


def poison(seed: int) -> Iterator[Poison]:
    """Bad records without end: each kind in turn, with keys drawn from the seed."""
    random = Random(f"poison {seed}")
    while True:
        for kind, value in _values(random):
            yield Poison(kind, f"poison-{random.randrange(1000)}".encode(), value)
        yield Poison("no key", None, b"{}")
        yield Poison("key that is no text", bytes(random.randbytes(8)), b"\xff\xfe")
        yield Poison("huge key", b"k" * HUGE_KEY_BYTES, b"not an event")
        yield Poison("nothing at all", None, None)


def _values(random: Random) -> Iterator[tuple[str, bytes | None]]:
    yield "no value", None
    yield "empty", b""
    yield "no JSON", b"<event/>"
    yield "cut off", b'{"detail-type": "purecloud:v2:inter'
    yield "wrong UTF-8", b'{"detail-type": "\xc3\x28"}'
    yield "no object", b"[1, 2, 3]"
    yield "nested without end", b"[" * 10_000
    yield "huge", random.randbytes(HUGE_VALUE_BYTES)
    yield "other detail-type", _event({"interactionId": "p", "sequenceId": 1}, "purecloud:v2:other")
    yield "no interaction", _event({"sequenceId": 1})
    yield "path as interaction", _event({"interactionId": "../../users/me", "sequenceId": 1})
    yield "no sequence", _event({"interactionId": "poison"})
    yield "sequence of another type", _event({"interactionId": "poison", "sequenceId": [1]})
    yield "endless sequence", _event({"interactionId": "poison", "sequenceId": "9" * 1000})


def _event(detail: dict[str, object], detail_type: str = UPDATE_DETAIL_TYPE) -> bytes:
    return msgspec.json.encode({"version": "0", "detail-type": detail_type, "detail": detail})


async def spread_poison(settings: Settings, seed: int, stop: asyncio.Event) -> None:
    """Put bad records straight into the events topic until ``stop`` is set.

    One that Kafka does not acknowledge is let go: what counts is what is in the topic. Through
    librdkafka, which sends what aiokafka refuses to: a record without key and value.
    """
    random = Random(f"pauses {seed}")
    producer = confluent_kafka.Producer(
        {
            **librdkafka_options(settings.kafka),
            "enable.idempotence": True,
            "message.max.bytes": 2 << 20,
        }
    )
    for bad in poison(seed):
        if stop.is_set():
            break
        producer.produce(
            settings.topics.events, bad.value, bad.key, headers=[(HEADER, bad.kind.encode())]
        )
        producer.poll(0)
        await asyncio.sleep(random.uniform(*PAUSE))
    await asyncio.to_thread(producer.flush, FLUSH_SECONDS)
