"""The headers of a record in ``retries``."""

from __future__ import annotations

import pytest

from streams.core.records import PutOff, Reason, Source
from streams.errors import EnvelopeError
from streams.wire.retries import (
    ATTEMPT,
    MOST_REDRIVEN,
    NOT_BEFORE,
    OFFSET,
    PARTITION,
    REASON,
    REDRIVEN,
    RETRY_VERSION,
    TOPIC,
    VERSION,
    Returned,
    read_returned,
    retry_headers,
)

SOURCE = Source("genesys.interaction.events", 3, 41)
HEADERS = retry_headers(SOURCE, PutOff(2, 1_765_552_507_657), Reason.TIMEOUT.value)


def test_the_names_are_the_contracts() -> None:
    assert dict(HEADERS) == {
        "retry.schema-version": b"1",
        "retry.attempt": b"2",
        "retry.not-before": b"1765552507657",
        "retry.reason": b"timeout",
        "retry.source.topic": b"genesys.interaction.events",
        "retry.source.partition": b"3",
        "retry.source.offset": b"41",
    }


def test_what_is_written_is_read() -> None:
    assert read_returned(HEADERS) == Returned(SOURCE, PutOff(2, 1_765_552_507_657))
    replayed = retry_headers(SOURCE, PutOff(0, 0), "replay", redriven=3, replayed=True)
    assert read_returned(replayed) == Returned(SOURCE, PutOff(0, 0), 3, replayed=True)


def test_what_the_last_release_wrote_has_no_version_and_is_read() -> None:
    old = [each for each in HEADERS if each[0] != VERSION]
    assert read_returned(old) == read_returned(HEADERS)


def test_headers_of_a_newer_version_are_not_read() -> None:
    newer = [*HEADERS, (VERSION, str(RETRY_VERSION + 1).encode())]
    with pytest.raises(EnvelopeError, match="version 2, of a newer release; this one knows 1"):
        read_returned(newer)


@pytest.mark.parametrize("missing", [ATTEMPT, NOT_BEFORE, TOPIC, PARTITION, OFFSET])
def test_a_header_that_is_missing_is_named(missing: str) -> None:
    headers = [(name, value) for name, value in HEADERS if name != missing]

    with pytest.raises(EnvelopeError, match=missing):
        read_returned(headers)


def test_the_reason_is_for_people() -> None:
    assert read_returned([each for each in HEADERS if each[0] != REASON])


@pytest.mark.parametrize("value", [b"", b"-1", b"1.5", b"\xff", "٣".encode(), b"9" * 20])
def test_what_is_no_number_is_refused(value: bytes) -> None:
    with pytest.raises(EnvelopeError, match=OFFSET):
        read_returned([*HEADERS, (OFFSET, value)])


def test_more_redrives_than_anybody_makes_are_refused() -> None:
    """Such a number would be counted on from, in the table and by an audit."""
    most = retry_headers(SOURCE, PutOff(0, 0), "replay", redriven=MOST_REDRIVEN)
    assert read_returned(most).redriven == MOST_REDRIVEN
    for number in (MOST_REDRIVEN + 1, 2**63 - 1):
        with pytest.raises(EnvelopeError, match=f"{REDRIVEN} says {number}"):
            read_returned([*HEADERS, (REDRIVEN, str(number).encode())])
