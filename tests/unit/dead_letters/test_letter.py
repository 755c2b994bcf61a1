"""Dead letters as they are read, and which of them are sent back."""

from __future__ import annotations

import json

import pytest

from streams.dead_letters.letter import Letter, Wanted, read_letter, sort
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


def places(letters: list[Letter]) -> list[int]:
    return [each.offset for each in letters]


def test_they_are_sent_back_as_they_lie() -> None:
    chosen = sort(
        [letter(0, of=5), letter(1, of=4, value=body("i-2")), letter(2, of=6)],
        Wanted(),
        frozenset(),
    )

    assert places(chosen.send) == [0, 1, 2]
    assert chosen.left == []


def test_those_of_one_interaction_are_sent_back_in_the_order_of_their_records() -> None:
    """One that was put off dies after a later one that failed at once."""
    other = letter(1, of=1, value=body("i-2"))
    chosen = sort([letter(0, of=5), other, letter(2, of=4)], Wanted(), frozenset())

    assert places(chosen.send) == [2, 1, 0]


def test_what_is_no_event_is_left() -> None:
    chosen = sort([letter(0, value=b"\xff")], Wanted(), frozenset())

    assert chosen.send == []
    assert [why for _, why in chosen.left] == ["its bytes are no event"]


def test_a_record_that_was_buried_twice_is_sent_back_once() -> None:
    """A worker that was killed in between tells again; both are of one record."""
    chosen = sort([letter(0), letter(1)], Wanted(), frozenset())

    assert places(chosen.send) == [1]


def test_one_that_was_sent_back_is_left_until_it_dies_again() -> None:
    sent = frozenset({(Source(TOPIC, 3, 0), 1)})

    once = sort([letter(0)], Wanted(), sent)
    again = sort([letter(0), letter(1, redriven=1)], Wanted(), sent)

    assert once.send == []
    assert len(once.left) == 1
    assert places(again.send) == [1]
