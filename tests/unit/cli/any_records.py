"""Records of which nothing is known, as they lie in any topic: strategies for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import hypothesis.strategies as st
from aiokafka import ConsumerRecord

from streams.core.envelope import UPDATE_DETAIL_TYPE
from streams.kafka.declaration import declared_directory
from streams.kafka.settings import TopicNames
from streams.wire.dead_letters import SOURCE

TOPICS = TopicNames("genesys.interaction.")

OUTCOME = json.loads((declared_directory() / "examples" / "outcome.patched.json").read_text())
CALL = OUTCOME["interactionId"]

# What our own writers name their headers, and what they put into them.
NAMES = (
    *("dlq.reason", "dlq.message", "dlq.stage", "dlq.failed-at", "dlq.attempts", "dlq.redriven"),
    *SOURCE,
    *("retry.attempt", "retry.not-before", "retry.redriven"),
    *("retry.source.topic", "retry.source.partition", "retry.source.offset", "traceparent"),
)
VALUES = (None, b"", b"0", b"3", b"-1", b"9" * 19, b"forbidden", b"\x1b[31mX\n", b"\x9b", b"\xff")

Records = Sequence[ConsumerRecord]

# Lone surrogates, controls, what turns a line around: all that Python's text can hold.
ANY_TEXT = st.text(st.characters(codec=None), max_size=30)


def encoded(value: object, ascii_alone: bool = True) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_alone).encode(errors="surrogatepass")


def changed(whole: Mapping[str, Any]) -> st.SearchStrategy[bytes]:
    """One of its fields another, as text or as JSON of any kind."""
    field = st.sampled_from(sorted(whole))
    other = ANY_TEXT | st.none() | st.integers() | st.floats() | st.lists(st.booleans())
    return st.builds(
        lambda name, value, escaped: encoded({**whole, name: value}, escaped),
        field,
        other,
        st.booleans(),
    )


EVENT = {
    "detail-type": UPDATE_DETAIL_TYPE,
    "detail": {"interactionId": CALL, "sequenceId": 1, "state": "completed"},
}

KEYS = st.none() | st.binary(max_size=30) | st.just(CALL.encode())
BODIES = (
    st.none()
    | st.binary(max_size=100)
    | st.sampled_from([encoded(EVENT), encoded(OUTCOME), b"[" * 50_000, b"\x9b" * 5_000])
    | changed(OUTCOME)
    | changed(EVENT)
    | changed(OUTCOME).map(lambda value: value.replace(b"a", b"\xff"))
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(NAMES) | ANY_TEXT,
        st.sampled_from([*VALUES, TOPICS.events.encode()]) | st.binary(max_size=30),
    ),
    max_size=12,
)
TIMES = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([None, -1, 0])


@st.composite
def records(draw: st.DrawFn) -> ConsumerRecord:
    key, value = draw(KEYS), draw(BODIES)
    return record(key, value, draw(HEADERS), draw(TIMES))


def record(
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]] = (),
    at: int | None = 0,
    offset: int = 0,
) -> ConsumerRecord:
    return ConsumerRecord("", 0, offset, at, 0, key, value, None, 0, 0, tuple(headers))


def size(record: ConsumerRecord) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers
