"""Writes and reads the headers of a record in ``retries`` (contract, retry headers)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.core.records import PutOff, Source
from streams.errors import EnvelopeError
from streams.kafka.message import Headers

VERSION = "retry.schema-version"
ATTEMPT = "retry.attempt"
NOT_BEFORE = "retry.not-before"
REASON = "retry.reason"
TOPIC = "retry.source.topic"
PARTITION = "retry.source.partition"
OFFSET = "retry.source.offset"
# How often an operator has redriven the record; left out when never.
REDRIVEN = "retry.redriven"
# The last time by a replay: then every leg of its conversation is decided anew, and not only those
# that have failed. Left out otherwise.
REPLAYED = "retry.replayed"

# Who has redriven it, and what for, in an operator's words; left out when nobody has said.
BY = "retry.by"
WHY = "retry.why"

# What REASON says of a record that a replay has redriven. Of one from the dead letters it says what
# the letter says.
BY_REPLAY = "replay"

# Goes up when a release changes the headers so that the one before it would read them wrongly or
# not at all. What has no version is of 0.1.0, and as version 1.
RETRY_VERSION = 1

# Kafka's offsets and times have 64 bits. A larger number could not be written where it has to go.
_LARGEST = 2**63 - 1
_MOST_DIGITS = len(str(_LARGEST))

# The largest REDRIVEN that is read. Redrives are made by a person, or by a script of theirs, one
# at a time, and each is counted on from the last: no record comes near it. Any program may write a
# larger number; taken over into the table it would make every later redrive of the record pass for
# an old one, which a worker drops without a word.
MOST_REDRIVEN = 10_000


@dataclass(frozen=True, slots=True)
class Returned:
    """A record that was put off, or redriven.

    ``source``: its place in ``events``. ``redriven``: how often it was redriven; ``replayed``: the
    last time by a replay.
    """

    source: Source
    put_off: PutOff
    redriven: int = 0
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """Who has redriven it, and what for, in an operator's words; empty when nobody has said."""

    by: str = ""
    why: str = ""

    def headers(self) -> Headers:
        named = {BY: self.by, WHY: self.why}
        return tuple((name, text.encode()) for name, text in named.items() if text)


UNSIGNED = Signed()


def retry_headers(
    source: Source, put_off: PutOff, reason: str, *, redriven: int = 0, replayed: bool = False
) -> Headers:
    """The ``retry.*`` headers."""
    named: dict[str, int | str] = {
        VERSION: RETRY_VERSION,
        ATTEMPT: put_off.attempt,
        NOT_BEFORE: put_off.not_before,
        REASON: reason,
        TOPIC: source.topic,
        PARTITION: source.partition,
        OFFSET: source.offset,
    }
    if redriven:
        named[REDRIVEN] = redriven
    if replayed:
        named[REPLAYED] = 1
    return [(name, str(value).encode()) for name, value in named.items()]


def read_returned(headers: Sequence[tuple[str, bytes]]) -> Returned:
    """Read the ``retry.*`` headers. Raises EnvelopeError when one is missing or not valid, or
    when they are of a version that is not known here."""
    named = dict(headers)
    version = _number(named, VERSION) if VERSION in named else RETRY_VERSION
    if version > RETRY_VERSION:
        raise EnvelopeError(
            f"its headers are of version {version}, of a newer release; this one knows "
            f"{RETRY_VERSION}",
            VERSION,
        )
    return Returned(
        source=Source(_text(named, TOPIC), _number(named, PARTITION), _number(named, OFFSET)),
        put_off=PutOff(_number(named, ATTEMPT), _number(named, NOT_BEFORE)),
        redriven=_redriven(named),
        replayed=REPLAYED in named,
    )


def _redriven(named: dict[str, bytes]) -> int:
    number = _number(named, REDRIVEN) if REDRIVEN in named else 0
    if number > MOST_REDRIVEN:
        raise EnvelopeError(
            f"the header {REDRIVEN} says {number}, and no record is redriven more often than "
            f"{MOST_REDRIVEN} times",
            REDRIVEN,
        )
    return number


def _text(named: dict[str, bytes], name: str) -> str:
    try:
        return named[name].decode()
    except (KeyError, UnicodeDecodeError):
        raise EnvelopeError(f"the header {name} is missing or no text", name) from None


def _number(named: dict[str, bytes], name: str) -> int:
    text = _text(named, name)
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise EnvelopeError(f"the header {name} is no number", name)
    number = int(text)
    if number > _LARGEST:
        raise EnvelopeError(f"the header {name} is larger than Kafka's numbers", name)
    return number
