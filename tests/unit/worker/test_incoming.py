"""A record as Kafka hands it out, whatever it holds, made into our own values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import pytest
from faust.types import TP
from hypothesis import example, given

from streams.clock import rfc3339
from streams.core.envelope import InteractionEvent, parse
from streams.core.records import PutOff, Source
from streams.core.retry_policy import LONGEST_RETRY_AFTER
from streams.errors import EnvelopeError, InternalError, RecordError, RecordSkipped
from streams.wire.retries import VERSION, retry_headers
from streams.worker import incoming
from tests.support.fetched import Fetched
from tests.support.world import EVENTS, RETRIES, TOPICS, event

NOW = 1_765_552_507.0
INT64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(st.characters(codec=None), max_size=30)
VALUES = st.none() | st.binary(max_size=60)
RETRY_NAMES = st.sampled_from(
    [
        name
        for name, _ in retry_headers(Source("t", 1, 2), PutOff(1, 2), "r", redriven=1)
        if name != VERSION
    ]
)


def message(
    value: Any = b"",
    *,
    tp: TP = EVENTS,
    offset: int = 5,
    key: Any = b"i-1",
    headers: Any = (),
    timestamp: Any = (NOW - 1) * 1000,
) -> tuple[TP, Fetched]:
    return tp, Fetched(offset, value, key, headers, timestamp)


def read(
    handed_out: tuple[TP, Fetched],
    *skipped: tuple[str, int, int],
    parse: incoming.Parse = parse,
) -> incoming.Incoming:
    return incoming.read(
        *handed_out,
        NOW,
        parse=parse,
        events=TOPICS.events,
        retries=TOPICS.retries,
        skipped=frozenset(skipped),
    )


def put_off_headers(changes: Mapping[str, bytes] | None = None) -> list[tuple[str, bytes]]:
    headers = retry_headers(Source(EVENTS.topic, EVENTS.partition, 3), PutOff(2, 1_000), "timeout")
    return list((dict(headers) | dict(changes or {})).items())


def test_an_event_is_read() -> None:
    handed_out = read(message(event(7), headers=[("traceparent", b"00"), ("empty", b"")]))
    assert isinstance(handed_out.event, InteractionEvent)
    assert handed_out.event.sequence_id == 7
    assert handed_out.headers == (("traceparent", b"00"), ("empty", b""))
    assert handed_out.source == Source(EVENTS.topic, EVENTS.partition, 5)
    assert handed_out.timestamp == NOW - 1


def test_a_record_put_off_is_the_one_it_was() -> None:
    handed_out = read(message(event(7), tp=RETRIES, headers=put_off_headers()))
    assert isinstance(handed_out.event, InteractionEvent)
    assert handed_out.source == Source(EVENTS.topic, EVENTS.partition, 3)
    assert (handed_out.put_off, handed_out.not_before) == (PutOff(2, 1_000), 1.0)
    assert not handed_out.replayed


def test_a_record_that_a_replay_has_redriven_says_so() -> None:
    headers = put_off_headers({"retry.redriven": b"2", "retry.replayed": b"1"})
    handed_out = read(message(event(7), tp=RETRIES, headers=headers))
    assert (handed_out.redriven, handed_out.replayed) == (2, True)


def test_a_record_that_a_newer_release_put_off_is_no_copy_here() -> None:
    """No input stops a worker: it is dead with its bytes, and the reason says who wrote it."""
    handed_out = read(message(event(7), tp=RETRIES, headers=put_off_headers({VERSION: b"2"})))
    assert isinstance(handed_out.event, EnvelopeError)
    assert "version 2, of a newer release" in str(handed_out.event)
    assert handed_out.source == Source(RETRIES.topic, RETRIES.partition, 5)


@pytest.mark.parametrize("said", [b"two", b"", b"-1", b"9" * 5000])
def test_a_version_that_is_no_number_makes_it_a_stranger(said: bytes) -> None:
    handed_out = read(message(event(7), tp=RETRIES, headers=put_off_headers({VERSION: said})))
    assert isinstance(handed_out.event, EnvelopeError)


@pytest.mark.parametrize("name", dict(put_off_headers()))
def test_a_null_header_of_a_record_put_off_makes_it_a_stranger(name: str) -> None:
    """It ended every worker with an AttributeError."""
    headers = [(each, None if each == name else value) for each, value in put_off_headers()]
    handed_out = read(message(event(7), tp=RETRIES, headers=headers))
    if name in ("retry.reason", VERSION):
        assert handed_out.put_off.attempt == 2, "nobody reads the reason; 0.1.0 wrote no version"
        return
    assert isinstance(handed_out.event, EnvelopeError)
    assert name in str(handed_out.event)
    assert handed_out.source.topic == RETRIES.topic


@pytest.mark.parametrize("digits", [b"9223372036854775808", b"9" * 19, b"9" * 5000, b"-1", b"1.0"])
def test_a_number_that_kafka_has_not_is_none(digits: bytes) -> None:
    headers = put_off_headers({"retry.source.offset": digits})
    assert isinstance(read(message(event(7), tp=RETRIES, headers=headers)).event, EnvelopeError)


@pytest.mark.parametrize(
    "timestamp",
    [None, -1, 0, -(2**63), 2**63 - 1, NOW * 1000 + 1, math.nan, math.inf, -math.inf],
)
def test_a_time_that_cannot_be_is_now(timestamp: float | None) -> None:
    assert read(message(event(7), timestamp=timestamp)).timestamp == NOW


def test_no_header_holds_a_record_back_for_years() -> None:
    headers = put_off_headers({"retry.not-before": b"9" * 18})
    handed_out = read(message(event(7), tp=RETRIES, headers=headers, timestamp=2**62))
    assert handed_out.not_before == NOW + LONGEST_RETRY_AFTER


@pytest.mark.parametrize("tp", [EVENTS, RETRIES])
def test_a_skipped_record_is_not_read(tp: TP) -> None:
    handed_out = read(message(event(7), tp=tp), (tp.topic, tp.partition, 5))
    assert isinstance(handed_out.event, RecordSkipped)
    assert handed_out.value == event(7)
    assert handed_out.source == Source(tp.topic, tp.partition, 5)


def test_only_the_named_record_is_skipped() -> None:
    others = ((EVENTS.topic, 3, 4), (EVENTS.topic, 2, 5), (RETRIES.topic, 3, 5))
    assert isinstance(read(message(event(7)), *others).event, InteractionEvent)


def test_a_fault_in_reading_is_the_records() -> None:
    def at_fault(_: bytes) -> None:
        raise ZeroDivisionError

    assert isinstance(read(message(event(7)), parse=at_fault).event, InternalError)


@given(
    value=VALUES | st.just(event(7)),
    key=VALUES,
    headers=st.none()
    | st.lists(st.tuples(NAMES | RETRY_NAMES, VALUES), max_size=9)
    | st.dictionaries(NAMES | RETRY_NAMES, VALUES, max_size=9),
    timestamp=st.none() | INT64,
    tp=st.sampled_from([EVENTS, RETRIES]),
)
@example(value=event(7), key=None, headers=put_off_headers(), timestamp=None, tp=RETRIES)
def test_whatever_a_record_holds_it_is_read(
    value: bytes | None, key: bytes | None, headers: Any, timestamp: int | None, tp: TP
) -> None:
    handed_out = read(message(value, tp=tp, key=key, headers=headers, timestamp=timestamp))
    assert (handed_out.key, handed_out.value) == (key, value)
    assert isinstance(handed_out.event, InteractionEvent | RecordError)
    assert not isinstance(handed_out.event, InternalError)
    assert all(
        isinstance(name, str) and isinstance(held, bytes) for name, held in handed_out.headers
    )
    assert 0 < handed_out.timestamp <= NOW
    assert handed_out.not_before <= NOW + LONGEST_RETRY_AFTER
    assert rfc3339(handed_out.timestamp)
