"""Records that a producer may write and none should, drawn from a seed, among good events.

Any bytes or none as key, header names and header values, any int64 as time, several records in one
batch, every codec. In ``retries`` as well, with ``retry.*`` headers missing, null, there twice,
huge, or of other partitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from benchmarks.fuzzing import values
from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.core.records import PutOff, Source
from streams.kafka.partitioner import partition_of
from streams.wire.retries import MOST_REDRIVEN, retry_headers
from tests.support.raw_records import KNOWN_CODECS, HeaderPair, RawRecord, batch

# Of the fuzzed records, those that go into `retries`.
RETRIES_SHARE = 0.1

# Of the good events, those with headers and a time of their own.
ODD_SHARE = 0.5

MOST_IN_A_BATCH = 12

# The topic takes batches of 1 MiB and a little; a record larger than this has one for itself.
BATCH_BYTES = 256 * 1024

# Above every offset there is: the source of a copy that is of no record.
FIRST_COPIED_OFFSET = 10**12

_LEAST, _GREATEST = -(2**63), 2**63 - 1
_DAY_MS = 86_400_000

_TRACE = b"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
_TRACES = (
    *(b"00-" + _TRACE + b"-01", b"00-" + _TRACE, b"ff-" + _TRACE + b"-01", b"00-" + _TRACE.upper()),
    *(b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00", b"00-" + _TRACE + b"-01" + b"x" * 3_000),
    *(b"a=1", b"a=1,a=2", b"\x00=\x1b", b",".join(b"k%d=%s" % (n, b"v" * 250) for n in range(40))),
)
_KNOWN_NAMES = (
    *(b"traceparent", b"tracestate", b"TraceParent", b"baggage", b"ce_id", b"content-type"),
    *(b"dlq.reason", b"dlq.source.offset", b"retry.attempt", b"worker.generation"),
)
_ODD_NAMES = (b"", b"\xff\xfe", b"\xc3\x28", b"\x00", b"\x1b[31m", b"\xed\xa0\x80", b"n" * 2_000)

# In the place of a number, or of a topic's name: all of them are none.
_NO_NUMBERS = (
    *(b"", b"-1", b" 5", b"5 ", b"1.0", b"1e3", b"+5", b"0x5", b"\xff", b"5\x00"),
    *(str(2**63).encode(), b"9" * 19, b"9" * 5_000, "\u0665".encode(), "\u00b2".encode()),
)


class Role(StrEnum):
    """Who a record is judged by."""

    GOOD = "good"
    """An event of the generator's: the model."""
    FUZZED = "fuzzed"
    """Anything in ``events``: one final outcome, a dead letter where it failed."""
    ANSWERED = "answered"
    """The same; it is an event whose API calls are answered with anything."""
    STRANGER = "stranger"
    """In ``retries``, and no copy of a record: a dead letter alone."""
    COPY = "copy"
    """In ``retries``, with the headers of a record put off: an outcome, of the record it names."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A record to be written. ``event``: of a good one. ``copied``: the offset a copy names."""

    role: Role
    kind: str
    partition: int
    raw: RawRecord
    event: Mapping[str, Any] | None = None
    copied: int | None = None

    @property
    def in_retries(self) -> bool:
        return self.role in (Role.STRANGER, Role.COPY)


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """Records of one partition that are written at once, and their bytes."""

    records: tuple[Planned, ...]
    content: bytes


def answered_id(number: int) -> str:
    """Of an interaction whose calls are answered with anything."""
    return f"answered-{number}"


def is_answered(interaction_id: str) -> bool:
    """Whether its calls are."""
    return interaction_id.startswith(answered_id(0)[:-1])


@dataclass(frozen=True, slots=True)
class Plan:
    """What is written: so many fuzzed records (``answered`` of them events whose calls are answered
    with anything) among ``good`` events, the same for the same seed but for the times."""

    records: int
    answered: int
    good: Sequence[Mapping[str, Any]]
    seed: int
    partitions: int
    events_topic: str
    now_ms: int

    def batches(self) -> Iterator[PlannedBatch]:
        """In the order in which they are to be written; an interaction's good events in theirs."""
        random = Random(f"fuzzed batches {self.seed}")
        open_batches: dict[tuple[bool, int], list[Planned]] = {}
        for planned in self._records():
            place = (planned.in_retries, planned.partition)
            waiting = open_batches.setdefault(place, [])
            if waiting and _size([*waiting, planned]) > BATCH_BYTES:
                yield _closed(waiting, random)
                waiting.clear()
            waiting.append(planned)
            if len(waiting) >= random.randint(1, MOST_IN_A_BATCH):
                yield _closed(waiting, random)
                waiting.clear()
        for waiting in open_batches.values():
            if waiting:
                yield _closed(waiting, random)

    def _records(self) -> Iterator[Planned]:
        """Good events at even intervals in their order, what is fuzzed between them."""
        random = Random(f"fuzzed records {self.seed}")
        good, number, answered = iter(self.good), 0, 0
        total = self.records + len(self.good)
        for place in range(total):
            if (place + 1) * len(self.good) // total > place * len(self.good) // total:
                yield self._good(random, next(good))
            elif (number + 1) * self.answered // self.records > answered:
                yield self._answered(random, answered)
                number, answered = number + 1, answered + 1
            else:
                in_retries = random.random() < RETRIES_SHARE
                yield self._returned(random, number) if in_retries else self._fuzzed(random)
                number += 1

    def _good(self, random: Random, event: Mapping[str, Any]) -> Planned:
        key = event["detail"]["interactionId"].encode()
        odd = random.random() < ODD_SHARE
        raw = RawRecord(
            key,
            json.dumps(event).encode(),
            headers(random) if odd else (),
            timestamp(random, self.now_ms) if odd else self.now_ms,
        )
        return Planned(Role.GOOD, "good", partition_of(key, self.partitions), raw, event)

    def _answered(self, random: Random, number: int) -> Planned:
        detail = {
            "interactionId": answered_id(number),
            "sequenceId": 1,
            "interactionType": "voice",
            "state": "completed",
        }
        body = json.dumps({"detail-type": UPDATE_DETAIL_TYPE, "detail": detail}).encode()
        return self._written(random, Role.ANSWERED, "answered with anything", body)

    def _fuzzed(self, random: Random) -> Planned:
        kind, body = values.value(random, random.choice(self.good))
        return self._written(random, Role.FUZZED, kind, body)

    def _written(self, random: Random, role: Role, kind: str, body: bytes | None) -> Planned:
        raw = RawRecord(self._key(random), body, headers(random), timestamp(random, self.now_ms))
        return Planned(role, kind, random.randrange(self.partitions), raw)

    def _returned(self, random: Random, number: int) -> Planned:
        """A record that somebody has put into ``retries``."""
        kind, body = values.value(random, random.choice(self.good))
        partition = random.randrange(self.partitions)
        offset = FIRST_COPIED_OFFSET + number
        # A time to wait for that is far off, in a record so old that it has passed.
        far = random.random() < 0.2
        written_at = self.now_ms - 2 * _DAY_MS if far else self.now_ms
        not_before = _GREATEST if far else random.choice((0, 1, self.now_ms))
        put_off = PutOff(random.choice((0, 1, 2, _GREATEST)), not_before)
        source = Source(self.events_topic, partition, offset)
        redriven = random.choice((0, 0, 1, MOST_REDRIVEN))
        named = dict(retry_headers(source, put_off, "timeout", redriven=redriven))
        pairs: list[HeaderPair] = [(name.encode(), held) for name, held in named.items()]
        role = random.choice((Role.STRANGER, Role.COPY))
        if role is Role.STRANGER:
            pairs = _broken(random, pairs)
        others = [pair for pair in headers(random) if not pair[0].startswith(b"retry.")]
        raw = RawRecord(self._key(random), body, (*others, *pairs), written_at)
        copied = offset if role is Role.COPY else None
        return Planned(role, f"{role}: {kind}", partition, raw, copied=copied)

    def _key(self, random: Random) -> bytes | None:
        """None, any bytes, or the key of an interaction that it is not of."""
        return random.choice(
            (
                None,
                b"",
                random.randbytes(random.randrange(40)),
                random.choice(self.good)["detail"]["interactionId"].encode(),
                values.interaction_id(random.randrange(values.INTERACTIONS)).encode(),
            )
        )


def headers(random: Random) -> tuple[HeaderPair, ...]:
    """Mostly few; now and then many."""
    number = random.choice((0, 0, 1, 2, 5)) if random.random() < 0.98 else 60
    pairs = [(_name(random), _header_value(random)) for _ in range(number)]
    if pairs and random.random() < 0.2:
        pairs.append((pairs[0][0], _header_value(random)))
    return tuple(pairs)


def timestamp(random: Random, now_ms: int) -> int:
    """Any int64; now, as often as not."""
    return random.choice(
        (
            now_ms,
            now_ms,
            now_ms,
            random.choice((0, -1, 1, _LEAST, _GREATEST, now_ms + _DAY_MS, 253_402_300_800_000)),
            random.randint(_LEAST, _GREATEST),
            random.randint(0, 2 * now_ms),
        )
    )


def _name(random: Random) -> bytes:
    return random.choice(
        (
            random.choice(_KNOWN_NAMES),
            random.choice(_ODD_NAMES),
            random.randbytes(random.randrange(12)),
            random.choice((b"traceparent", b"tracestate")),
        )
    )


def _header_value(random: Random) -> bytes | None:
    return random.choice(
        (None, random.choice(_TRACES), random.choice(_NO_NUMBERS), random.randbytes(20))
    )


def _broken(random: Random, pairs: Sequence[HeaderPair]) -> list[HeaderPair]:
    """Headers that make no copy: of the ones that are read, one is gone, null, or none."""
    read = [place for place, (name, _) in enumerate(pairs) if name != b"retry.reason"]
    at = random.choice(read)
    name, _ = pairs[at]
    wrong = random.choice(_NO_NUMBERS)
    if name == b"retry.redriven":
        wrong = random.choice((wrong, b"%d" % (MOST_REDRIVEN + 1), b"%d" % _GREATEST))
    if name in {b"retry.redriven", b"retry.schema-version"}:  # without it, it still makes a copy
        return [*pairs[:at], (name, wrong), *pairs[at + 1 :]]
    match random.randrange(4):
        case 0:
            return [*pairs[:at], *pairs[at + 1 :]]
        case 1:
            return [*pairs[:at], (name, None), *pairs[at + 1 :]]
        case 2:
            return [*pairs, (name, wrong)]
        case _:
            others = {b"retry.source.partition": b"4711", b"retry.source.topic": b"elsewhere"}
            return [*pairs[:at], (name, others.get(name, wrong)), *pairs[at + 1 :]]


def _size(records: Sequence[Planned]) -> int:
    return sum(len(each.raw.key or b"") + len(each.raw.value or b"") + 64 for each in records)


def _closed(records: Sequence[Planned], random: Random) -> PlannedBatch:
    content = batch([each.raw for each in records], codec=random.choice(KNOWN_CODECS))
    return PlannedBatch(tuple(records), content)
