"""Dead letters as they are read, which of them are open, and in which order they are sent back."""

from __future__ import annotations

import json

import pytest
import yaml

from streams.dead_letters.letter import (
    REASONS,
    Letter,
    Standing,
    Wanted,
    in_turn,
    read_letter,
    standings,
)
from streams.kafka.declaration import declared_directory
from streams.records import DeadLetter, Source, Stage

TOPIC = "genesys.interaction.events"
AT = "2026-01-05T08:00:00.000Z"
AT_MS = 1_767_600_000_000


def body(interaction_id: str = "i-1") -> bytes:
    detail = {"interactionId": interaction_id, "sequenceId": 1, "state": "completed"}
    return json.dumps({"detail-type": "purecloud:v2:interaction:update", "detail": detail}).encode()


def letter(
    offset: int,
    *,
    of: int | None = 0,
    value: bytes = body(),
    reason: str = "forbidden",
    redriven: int = 0,
) -> Letter:
    """As the worker writes it, of the record at ``of`` in partition 3; None: the bridge's."""
    written = DeadLetter(
        key=b"i-1",
        value=value,
        reason=reason,
        message="give it the scope",
        stage=Stage.BRIDGE if of is None else Stage.WORKER,
        attempts=1,
        failed_at=AT,
        source=None if of is None else Source(TOPIC, 3, of),
        redriven=redriven,
    )
    return read_letter(0, offset, written.key, written.value, written.headers())


def test_what_the_worker_writes_is_read() -> None:
    read = letter(7, of=41, redriven=2)

    assert (read.place, read.reason, read.message) == ("0/7", "forbidden", "give it the scope")
    assert (read.stage, read.failed_at, read.redriven) == ("worker", AT_MS, 2)
    assert read.source == Source(TOPIC, 3, 41)
    assert read.interaction_id == "i-1"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("dlq.reason", b"\xff"), ("dlq.failed-at", b"yesterday")],
        [("dlq.source.topic", b"t"), ("dlq.source.partition", b"-1")],
        [("dlq.redriven", b"many"), ("dlq.redriven", b"")],
        [("dlq.redriven", b"9" * 5000)],
    ],
)
def test_headers_that_are_nonsense_hide_no_letter(headers: list[tuple[str, bytes]]) -> None:
    read = read_letter(0, 7, None, None, headers)

    assert (read.source, read.failed_at, read.redriven, read.event) == (None, None, 0, None)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (Wanted(), True),
        (Wanted(reasons=frozenset({"forbidden", "bad-request"})), True),
        (Wanted(reasons=frozenset({"bad-request"})), False),
        (Wanted(stage="worker"), True),
        (Wanted(stage="bridge"), False),
        (Wanted(interaction_id="i-1"), True),
        (Wanted(interaction_id="i-2"), False),
        (Wanted(since=AT_MS, until=AT_MS + 1), True),
        (Wanted(since=AT_MS + 1), False),
        (Wanted(until=AT_MS), False),
    ],
)
def test_which_are_meant(wanted: Wanted, meant: bool) -> None:
    assert (letter(0) in wanted) is meant


def test_bytes_that_are_no_event_belong_to_the_interaction_of_their_key() -> None:
    assert letter(0, value=b"\xff") in Wanted(interaction_id="i-1")


def test_the_reasons_are_those_that_the_topic_declares() -> None:
    declared = yaml.safe_load((declared_directory() / "asyncapi.yaml").read_text())
    headers = declared["components"]["messages"]["deadLetter"]["headers"]

    assert list(REASONS) == headers["properties"]["dlq.reason"]["enum"]


def stand(*letters: Letter, sent: frozenset[tuple[Source, int]] = frozenset()) -> list[Standing]:
    return [standing for _, standing in standings(letters, sent)]


def test_what_died_is_open() -> None:
    assert stand(letter(0), letter(1, of=1), letter(2, of=None)) == [Standing.OPEN] * 3
    assert Standing.OPEN.open


def test_what_is_no_event_is_open_for_as_long_as_it_lies_there() -> None:
    assert stand(letter(0, of=None, value=b"\xff")) == [Standing.NO_EVENT]
    assert Standing.NO_EVENT.open


def test_of_a_record_that_was_buried_twice_the_later_letter_is_open() -> None:
    """A worker that was killed in between tells again; both are of one record."""
    garbage = [letter(offset, value=b"\xff") for offset in range(2)]

    assert stand(letter(0), letter(1)) == [Standing.REPLACED, Standing.OPEN]
    assert stand(*garbage) == [Standing.REPLACED, Standing.NO_EVENT]
    assert not Standing.REPLACED.open


def test_one_that_was_sent_back_is_left_until_it_dies_again() -> None:
    once = frozenset({(Source(TOPIC, 3, 0), 1)})

    assert stand(letter(0), sent=once) == [Standing.SENT_BACK]
    assert not Standing.SENT_BACK.open
    assert stand(letter(0), letter(1, redriven=1), sent=once) == [Standing.REPLACED, Standing.OPEN]


def test_the_letter_of_the_latest_death_counts_in_whatever_order_the_partitions_are_read() -> None:
    """Those of a record without a key may lie in several."""
    once = frozenset({(Source(TOPIC, 3, 0), 1)})

    assert stand(letter(0, redriven=1), letter(1), sent=once) == [Standing.OPEN, Standing.REPLACED]


def places(letters: list[Letter]) -> list[int]:
    return [each.offset for each in letters]


def test_they_are_sent_back_as_they_lie() -> None:
    turn = in_turn([letter(0, of=5), letter(1, of=4, value=body("i-2")), letter(2, of=6)])

    assert places(turn) == [0, 1, 2]


def test_those_of_one_interaction_are_sent_back_in_the_order_of_their_records() -> None:
    """One that was put off dies after a later one that failed at once."""
    other = letter(1, of=1, value=body("i-2"))

    assert places(in_turn([letter(0, of=5), other, letter(2, of=4)])) == [2, 1, 0]
