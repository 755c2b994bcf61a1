"""Dead letters as they are read, which of them are open, and in which order they are sent back."""

from __future__ import annotations

import json

import pytest
import yaml

from streams.core.records import DeadLetter, Source, Stage
from streams.kafka.declaration import declared_directory
from streams.operator.letter import (
    MESSAGE_LENGTH,
    NAME_LENGTH,
    REASONS,
    SOURCE,
    Letter,
    Standing,
    Wanted,
    in_turn,
    read_letter,
    standings,
)

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
    written = letter(7, of=41, redriven=2)

    assert (written.place, written.reason, written.message) == (
        "0/7",
        "forbidden",
        "give it the scope",
    )
    assert (written.stage, written.failed_at, written.redriven) == ("worker", AT_MS, 2)
    assert written.source == Source(TOPIC, 3, 41)
    assert written.interaction_id == "i-1"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("dlq.reason", b"\xff"), ("dlq.failed-at", b"yesterday")],
        [("dlq.source.topic", b"t"), ("dlq.source.partition", b"-1")],
        [("dlq.redriven", b"many"), ("dlq.redriven", b"")],
        [("dlq.redriven", b"9" * 5000)],
        [(name, None) for name in ("dlq.reason", "dlq.failed-at", "dlq.redriven", *SOURCE)],
        [("dlq.failed-at", b"300000-01-01T00:00:00Z"), ("dlq.redriven", b"-1")],
        [("dlq.redriven", b"9" * 19), ("dlq.redriven", "\u0663".encode())],
        [("\udcff", b"\xff"), ("", None)],
    ],
)
def test_headers_that_are_nonsense_hide_no_letter(headers: list[tuple[str, bytes | None]]) -> None:
    found = read_letter(0, 7, None, None, headers)

    assert (found.source, found.failed_at, found.redriven, found.event) == (None, None, 0, None)


def source_headers(*values: bytes | None) -> list[tuple[str, bytes | None]]:
    return list(zip(SOURCE, values, strict=False))


TRUE_SOURCE = source_headers(TOPIC.encode(), b"3", b"41")


def read(headers: list[tuple[str, bytes | None]]) -> Letter:
    return read_letter(0, 7, b"i-1", body(), headers)


@pytest.mark.parametrize(
    "headers",
    [
        source_headers(None, None, None),
        source_headers(TOPIC.encode(), None, b"41"),
        source_headers(TOPIC.encode(), b"3"),
        source_headers(b"no topic's name", b"3", b"41"),
        source_headers(b"\xff", b"3", b"41"),
        source_headers(b"t" * 250, b"3", b"41"),
        source_headers(TOPIC.encode(), b"-1", b"41"),
        source_headers(TOPIC.encode(), b"3", b"many"),
        source_headers(TOPIC.encode(), str(2**31).encode(), b"41"),
        source_headers(TOPIC.encode(), b"3", str(2**63).encode()),
        source_headers(TOPIC.encode(), b"3", b"9" * 100_000),
        [*TRUE_SOURCE, ("dlq.source.offset", b"42")],
        [*TRUE_SOURCE, ("dlq.source.offset", None)],
    ],
)
def test_a_source_that_can_not_be_read_is_not_taken_for_none(
    headers: list[tuple[str, bytes | None]],
) -> None:
    """What has none goes back to ``events``, and would be decided a second time."""
    found = read(headers)

    assert (found.source, found.source_unreadable) == (None, True)
    assert stand(found) == [Standing.NO_SOURCE]
    assert Standing.NO_SOURCE.open


def test_a_source_that_is_said_twice_is_still_one() -> None:
    found = read([*TRUE_SOURCE, *TRUE_SOURCE])

    assert (found.source, found.source_unreadable) == (Source(TOPIC, 3, 41), False)


def test_the_largest_source_that_kafka_has_is_read() -> None:
    largest = source_headers(TOPIC.encode(), str(2**31 - 1).encode(), str(2**63 - 1).encode())

    assert read(largest).source == Source(TOPIC, 2**31 - 1, 2**63 - 1)


def test_a_source_in_a_partition_that_is_not_there_belongs_nowhere() -> None:
    here, gone = letter(0, of=1), letter(1, of=2)
    found = standings([here, gone], frozenset(), lambda source: source == gone.source)

    assert [standing for _, standing in found] == [Standing.OPEN, Standing.NO_SOURCE]


def test_of_a_reason_that_is_said_twice_the_last_counts() -> None:
    assert read([("dlq.reason", b"forbidden"), ("dlq.reason", b"skipped")]).reason == "skipped"


def test_texts_are_printable_and_bounded_whoever_wrote_them() -> None:
    found = read(
        [
            ("dlq.reason", b"\x1b[31mX\n"),
            ("dlq.message", b"\x9b\xc2\x9b" + "\u202e".encode()),
            ("dlq.stage", b"s" * 100_000),
            ("n\x1b" + "n" * 100_000, b"v" * 100_000),
            ("null", None),
        ]
    )

    assert found.reason == "�[31mX"
    assert found.message == "���"
    assert len(found.stage) == NAME_LENGTH
    name, text = found.headers[3]
    assert (name[:3], len(name), len(text or "")) == ("n�n", NAME_LENGTH, MESSAGE_LENGTH)
    assert found.headers[4] == ("null", None)


def test_a_message_is_kept_whole() -> None:
    assert read([("dlq.message", b"m" * 2_000)]).message == "m" * 2_000


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


@pytest.mark.parametrize("value", [b"\xff", b'{"detail": {"interactionId": "i-1"}}'])
@pytest.mark.parametrize("of", [0, None])
def test_what_is_no_event_belongs_to_the_interaction_of_its_key(
    value: bytes, of: int | None
) -> None:
    """Also what the bridge has refused, which was never in ``events``."""
    assert letter(0, of=of, value=value) in Wanted(interaction_id="i-1")
    assert letter(0, of=of, value=value) not in Wanted(interaction_id="i-2")


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
