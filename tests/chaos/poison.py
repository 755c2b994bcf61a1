"""Records that are no event, as another producer might put them into the events topic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import confluent_kafka
import msgspec

from streams.core.conversations.events import DETAIL_TYPE_PREFIX
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

Malformed = tuple[str, bytes]
"""A kind of record that is nearly an event, and one of it."""


def _event(detail: dict[str, object], detail_type: str = UPDATE_DETAIL_TYPE) -> bytes:
    return msgspec.json.encode({"version": "0", "detail-type": detail_type, "detail": detail})


def _told(body: object, name: str = "user.end") -> bytes:
    return _event({"eventBody": body}, DETAIL_TYPE_PREFIX + name)


OF_INTERACTIONS: Sequence[Malformed] = (
    ("other detail-type", _event({"interactionId": "p", "sequenceId": 1}, "purecloud:v2:other")),
    ("no interaction", _event({"sequenceId": 1})),
    ("path as interaction", _event({"interactionId": "../../users/me", "sequenceId": 1})),
    ("no sequence", _event({"interactionId": "poison"})),
    ("sequence of another type", _event({"interactionId": "poison", "sequenceId": [1]})),
    ("endless sequence", _event({"interactionId": "poison", "sequenceId": "9" * 1000})),
)

OF_CONVERSATIONS: Sequence[Malformed] = (
    ("other detail-type", _told({"conversationId": "poison", "eventTime": 1}, "user.start")),
    ("of the other dialect", _event({"interactionId": "poison", "sequenceId": 1})),
    ("no body", _event({}, f"{DETAIL_TYPE_PREFIX}user.end")),
    ("body that is no object", _told(["poison"])),
    ("no conversation", _told({"eventTime": 1})),
    ("path as conversation", _told({"conversationId": "../../users/me", "eventTime": 1})),
    ("no time", _told({"conversationId": "poison"})),
    ("time of another type", _told({"conversationId": "poison", "eventTime": [1]})),
    ("time beyond all calendars", _told({"conversationId": "poison", "eventTime": 10**18})),
)


@dataclass(frozen=True, slots=True)
class Poison:
    """One bad record."""

    kind: str
    key: bytes | None
    value: bytes | None


def poison(seed: int, malformed: Sequence[Malformed] = OF_INTERACTIONS) -> Iterator[Poison]:
    """Bad records without end: each kind in turn, with keys drawn from the seed. ``malformed``:
    those that only the dialect in use makes bad."""
    random = Random(f"poison {seed}")
    while True:
        for kind, value in _values(random, malformed):
            yield Poison(kind, f"poison-{random.randrange(1000)}".encode(), value)
        yield Poison("no key", None, b"{}")
        yield Poison("key that is no text", bytes(random.randbytes(8)), b"\xff\xfe")
        yield Poison("huge key", b"k" * HUGE_KEY_BYTES, b"not an event")
        yield Poison("nothing at all", None, None)


def _values(random: Random, malformed: Sequence[Malformed]) -> Iterator[tuple[str, bytes | None]]:
    yield "no value", None
    yield "empty", b""
    yield "no JSON", b"<event/>"
    yield "cut off", b'{"detail-type": "purecloud:v2:inter'
    yield "wrong UTF-8", b'{"detail-type": "\xc3\x28"}'
    yield "no object", b"[1, 2, 3]"
    yield "nested without end", b"[" * 10_000
    yield "huge", random.randbytes(HUGE_VALUE_BYTES)
    yield from malformed


async def spread_poison(
    settings: Settings, seed: int, malformed: Sequence[Malformed], stop: asyncio.Event
) -> None:
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
    for bad in poison(seed, malformed):
        if stop.is_set():
            break
        producer.produce(
            settings.topics.events, bad.value, bad.key, headers=[(HEADER, bad.kind.encode())]
        )
        producer.poll(0)
        await asyncio.sleep(random.uniform(*PAUSE))
    await asyncio.to_thread(producer.flush, FLUSH_SECONDS)
