"""What a dead letter says of itself, as it is written and as it is read."""

from __future__ import annotations

import json

import msgspec
import pytest
import yaml

from streams.core.records import Source
from streams.kafka.declaration import declared_directory
from streams.wire.dead_letters import (
    MESSAGE_LENGTH,
    NAME_LENGTH,
    REASONS,
    SOURCE,
    DeadLetter,
    Letter,
    Stage,
    read_letter,
)
from tests.support.letters import AT_MS, TOPIC, body, letter
from tests.support.wrap_up_model import CONVERSATION, Story, events


class TestDeadLetter:
    LETTER = DeadLetter(
        key=b"\xff",
        value=b"\x00not JSON",
        reason="malformed-event",
        message="not JSON: é",
        stage=Stage.WORKER,
        attempts=1,
        failed_at="2025-12-12T15:15:07.657Z",
        source=Source("genesys.interaction.events", 0, 0),
    )

    def test_says_why_in_its_headers(self) -> None:
        headers = self.LETTER.headers()
        assert dict(headers) == {
            "dlq.schema-version": b"1",
            "dlq.reason": b"malformed-event",
            "dlq.message": "not JSON: é".encode(),
            "dlq.stage": b"worker",
            "dlq.attempts": b"1",
            "dlq.failed-at": b"2025-12-12T15:15:07.657Z",
            "dlq.source.topic": b"genesys.interaction.events",
            "dlq.source.partition": b"0",
            "dlq.source.offset": b"0",
        }
        assert len(headers) == len(dict(headers))

    def test_from_the_bridge_has_no_source(self) -> None:
        letter = msgspec.structs.replace(self.LETTER, source=None, stage=Stage.BRIDGE)
        names = dict(letter.headers())
        assert names["dlq.stage"] == b"bridge"
        assert not [name for name in names if name.startswith("dlq.source")]

    def test_stages_are_the_contracts(self) -> None:
        assert [stage.value for stage in Stage] == ["bridge", "worker", "retry"]


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


def test_a_letter_of_a_conversation_is_of_an_event_too() -> None:
    """Else no redrive would take it."""
    ((_, raw), *_) = events(Story((), 1_000))
    written = letter(7, value=json.dumps(raw).encode())
    assert written.event is not None
    assert written.interaction_id == CONVERSATION
    assert letter(7, value=b"{}").event is None


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


def test_a_source_that_is_said_twice_is_still_one() -> None:
    found = read([*TRUE_SOURCE, *TRUE_SOURCE])

    assert (found.source, found.source_unreadable) == (Source(TOPIC, 3, 41), False)


def test_the_largest_source_that_kafka_has_is_read() -> None:
    largest = source_headers(TOPIC.encode(), str(2**31 - 1).encode(), str(2**63 - 1).encode())

    assert read(largest).source == Source(TOPIC, 2**31 - 1, 2**63 - 1)


@pytest.mark.parametrize(
    ("said", "newer"),
    [(b"1", False), (b"2", True), (b"two", False), (b"9" * 5000, False), (None, False)],
)
def test_a_letter_says_whether_a_newer_release_wrote_it(said: bytes | None, newer: bool) -> None:
    assert read([("dlq.schema-version", said)]).newer is newer
    assert not read([]).newer, "the last release wrote no version"


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


def test_the_reasons_are_those_that_the_topic_declares() -> None:
    declared = yaml.safe_load((declared_directory() / "asyncapi.yaml").read_text())
    headers = declared["components"]["messages"]["deadLetter"]["headers"]

    assert list(REASONS) == headers["properties"]["dlq.reason"]["enum"]
