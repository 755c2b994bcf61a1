"""Writes and reads the records of ``dead-letters`` with their ``dlq.*`` headers. Pure.

A ``DeadLetter`` is what we write, a ``Letter`` what we read. Anybody who may write to the topic can
put any record there. ``read_letter`` turns every record into a Letter of ours. No code behind it
meets raw header bytes, an unexpected null, or a text that is not fit to be printed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from streams.core.event import Event, parse_any
from streams.core.foreign_text import foreign_text
from streams.core.records import Reason, Source
from streams.errors import EnvelopeError
from streams.kafka.message import Headers
from streams.timestamps import epoch_ms
from streams.wire.retries import MOST_REDRIVEN

VERSION = "dlq.schema-version"
REASON = "dlq.reason"
MESSAGE = "dlq.message"
STAGE = "dlq.stage"
ATTEMPTS = "dlq.attempts"
FAILED_AT = "dlq.failed-at"
TOPIC = "dlq.source.topic"
PARTITION = "dlq.source.partition"
OFFSET = "dlq.source.offset"
# How often an operator had sent the record back when it died; left out when never.
REDRIVEN = "dlq.redriven"

# Goes up when a release changes the headers so that the one before it would read them wrongly or
# not at all. What has no version is of 0.1.0, and as version 1.
LETTER_VERSION = 1

# These headers together say which record a letter is of.
SOURCE = (TOPIC, PARTITION, OFFSET)

# Headers as they lie in Kafka: a name may be there several times, and a value may be null.
AnyHeaders = Iterable[tuple[str, bytes | None]]

# The reasons of a `failed` outcome (contract). No record of ours becomes a dead letter for another.
REASONS = (
    Reason.FORBIDDEN,
    Reason.UNAUTHORIZED,
    Reason.BAD_REQUEST,
    Reason.RETRIES_EXHAUSTED,
    Reason.MALFORMED,
    Reason.SKIPPED,
    Reason.INTERNAL_ERROR,
)

# The longest name that a topic of Kafka can have; our reasons and stages are shorter. The limit
# keeps one letter from filling the screen, and from being redriven with a reason of a megabyte.
NAME_LENGTH = 249

# The same for a message, and for other producers' headers that ``show`` prints. Our own messages
# quote the answers of an API, and are shorter.
MESSAGE_LENGTH = 4_000

# The largest partition number and offset in Kafka. A larger number is not from Kafka, and could not
# be written back.
_LARGEST_PARTITION = 2**31 - 1
_LARGEST_OFFSET = 2**63 - 1

_TOPIC_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{NAME_LENGTH}}}")
_NUMBER = re.compile(r"[0-9]{1,19}")


class Stage(StrEnum):
    """Where a record became a dead letter (``dlq.stage``)."""

    BRIDGE = "bridge"
    WORKER = "worker"
    RETRY = "retry"


class DeadLetter(msgspec.Struct, frozen=True):
    """Bytes that could not be handled, untouched, and why (contract, dead-letter headers).

    ``attempts``: how often the record was taken up: once, and once more for each deferral.
    """

    key: bytes | None
    value: bytes | None
    reason: str
    message: str
    stage: Stage
    attempts: int
    failed_at: str
    source: Source | None = None
    redriven: int = 0

    def headers(self) -> Headers:
        """The ``dlq.*`` headers."""
        named: dict[str, int | str] = {
            VERSION: LETTER_VERSION,
            REASON: self.reason,
            MESSAGE: self.message,
            STAGE: self.stage.value,
            ATTEMPTS: self.attempts,
            FAILED_AT: self.failed_at,
        }
        if self.source is not None:
            named[TOPIC] = self.source.topic
            named[PARTITION] = self.source.partition
            named[OFFSET] = self.source.offset
        if self.redriven:
            named[REDRIVEN] = self.redriven
        return [(name, str(value).encode()) for name, value in named.items()]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies in the topic. ``key`` and ``value`` are untouched, because they are
    redriven; every text is one printable line of bounded length.

    ``headers``: all of them, in their order; None for a null value. ``source``: the record in
    ``events`` that the letter is of; None for a letter from the bridge. ``source_unreadable``: the
    letter says that it is of a record, but its source can not be read. ``newer``: its headers are
    of a version that this release does not know. ``event``: the event that is read from its bytes
    today, None when they are not an event. ``redriven``: how often the record
    had been redriven when it died. ``failed_at``: epoch milliseconds, None when the letter does
    not say. ``reason``, ``message``, ``stage``: empty when the letter does not say.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, str | None]]
    reason: str
    message: str
    stage: str
    failed_at: int | None
    source: Source | None
    source_unreadable: bool
    newer: bool
    redriven: int
    event: Event | None

    @property
    def place(self) -> str:
        return f"{self.partition}/{self.offset}"

    @property
    def interaction_id(self) -> str | None:
        return self.event.interaction_id if self.event is not None else None

    def is_of(self, interaction_id: str) -> bool:
        """Whether the letter is of this interaction or has its id as key. Bytes that are not an
        event have only the key."""
        return self.interaction_id == interaction_id or self.key == interaction_id.encode()


def read_letter(
    partition: int, offset: int, key: bytes | None, value: bytes | None, headers: AnyHeaders
) -> Letter:
    """Reads any record: a header that is missing, null or nonsense becomes empty, None or 0. When a
    header is there more than once the last one counts, as it does for Kafka's own clients. A source
    is the exception, because it must not be guessed."""
    named = [(name, _shown(content)) for name, content in headers]
    texts = {name: text or "" for name, text in named}
    source = _source(named)
    return Letter(
        partition,
        offset,
        key,
        value,
        tuple((foreign_text(name, NAME_LENGTH), text) for name, text in named),
        reason=foreign_text(texts.get(REASON, ""), NAME_LENGTH),
        message=texts.get(MESSAGE, ""),
        stage=foreign_text(texts.get(STAGE, ""), NAME_LENGTH),
        failed_at=epoch_ms(texts.get(FAILED_AT)),
        source=source,
        source_unreadable=source is None and any(name in SOURCE for name in texts),
        newer=(_number(texts.get(VERSION), _LARGEST_PARTITION) or 0) > LETTER_VERSION,
        redriven=_number(texts.get(REDRIVEN), MOST_REDRIVEN) or 0,
        event=_event(value),
    )


def _event(value: bytes | None) -> Event | None:
    try:
        return parse_any(value or b"")
    except EnvelopeError:
        return None


def _shown(content: bytes | None) -> str | None:
    return None if content is None else foreign_text(content, MESSAGE_LENGTH)


def _source(headers: Iterable[tuple[str, str | None]]) -> Source | None:
    """The source. None when one of its headers is missing or nonsense, or is there twice with two
    values: redriven to a wrong place, the record would be decided in the place of another one."""
    said: defaultdict[str, set[str]] = defaultdict(set)
    for name, text in headers:
        said[name].add(text or "")
    if any(len(said[name]) != 1 for name in SOURCE):
        return None
    topic, *numbers = (min(said[name]) for name in SOURCE)
    partition = _number(numbers[0], _LARGEST_PARTITION)
    offset = _number(numbers[1], _LARGEST_OFFSET)
    if partition is None or offset is None or not _TOPIC_NAME.fullmatch(topic):
        return None
    return Source(topic, partition, offset)


def _number(text: str | None, largest: int) -> int | None:
    if text is None or not _NUMBER.fullmatch(text):
        return None
    number = int(text)
    return number if number <= largest else None
