"""Reads a record of ``dead-letters``, selects letters, and finds out which of them are open. Pure.

Anybody who may write to the topic can put any record there. ``read_letter`` turns every record into
a Letter of ours. No code behind it meets raw header bytes, an unexpected null, or a text that is
not fit to be printed.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.clock import epoch_ms
from streams.core.envelope import InteractionEvent
from streams.core.foreign_text import foreign_text
from streams.core.records import Reason, Source
from streams.wire.reading import read_event

# Headers as they lie in Kafka: a name may be there several times, and a value may be null.
Headers = Iterable[tuple[str, bytes | None]]

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

# These headers together say which record a letter is of.
SOURCE = ("dlq.source.topic", "dlq.source.partition", "dlq.source.offset")

# The longest name that a topic of Kafka can have; our reasons and stages are shorter. The limit
# keeps one letter from filling the screen, and from being sent back with a reason of a megabyte.
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


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies in the topic. ``key`` and ``value`` are untouched, because they are
    sent back; every text is one printable line of bounded length.

    ``headers``: all of them, in their order; None for a null value. ``source``: the record in
    ``events`` that the letter is of; None for a letter from the bridge. ``source_unreadable``: the
    letter says that it is of a record, but its source can not be read. ``event``: the event that is
    read from its bytes today, None when they are not an event. ``redriven``: how often the record
    had been sent back when it died. ``failed_at``: epoch milliseconds, None when the letter does
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
    redriven: int
    event: InteractionEvent | None

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
    partition: int, offset: int, key: bytes | None, value: bytes | None, headers: Headers
) -> Letter:
    """Reads any record: a header that is missing, null or nonsense becomes empty, None or 0. When a
    header is there more than once the last one counts, as it does for Kafka's own clients. A source
    is the exception, because it must not be guessed."""
    named = [(name, _shown(content)) for name, content in headers]
    texts = {name: text or "" for name, text in named}
    source = _source(named)
    event = read_event(value)
    return Letter(
        partition,
        offset,
        key,
        value,
        tuple((foreign_text(name, NAME_LENGTH), text) for name, text in named),
        reason=foreign_text(texts.get("dlq.reason", ""), NAME_LENGTH),
        message=texts.get("dlq.message", ""),
        stage=foreign_text(texts.get("dlq.stage", ""), NAME_LENGTH),
        failed_at=epoch_ms(texts.get("dlq.failed-at")),
        source=source,
        source_unreadable=source is None and any(name in SOURCE for name in texts),
        redriven=_number(texts.get("dlq.redriven"), _LARGEST_PARTITION) or 0,
        event=event if isinstance(event, InteractionEvent) else None,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Selects the letters that meet every condition given. Times in epoch milliseconds."""

    reasons: frozenset[str] = frozenset()
    stage: str | None = None
    interaction_id: str | None = None
    since: int | None = None
    until: int | None = None

    def __contains__(self, letter: object) -> bool:
        return (
            isinstance(letter, Letter)
            and (not self.reasons or letter.reason in self.reasons)
            and self.stage in (None, letter.stage)
            and (self.interaction_id is None or letter.is_of(self.interaction_id))
            and (self.since is None or (letter.failed_at or 0) >= self.since)
            and (self.until is None or (letter.failed_at or 0) < self.until)
        )


class Standing(StrEnum):
    """What has become of a letter.

    ``OPEN``: a redrive sends it back. ``NO_EVENT``: its bytes are not an event, so no redrive sends
    it back, and nothing else settles it. ``NO_SOURCE``: the same, because its place in ``events``
    can not be read or does not exist. ``SENT_BACK``: it was sent back, and has not died again.
    ``REPLACED``: a later letter is of the same record, which was written again after a crash, or
    was sent back and died once more.
    """

    OPEN = "open"
    NO_EVENT = "no event"
    NO_SOURCE = "no source"
    SENT_BACK = "sent back"
    REPLACED = "replaced"

    @property
    def open(self) -> bool:
        return self in (Standing.OPEN, Standing.NO_EVENT, Standing.NO_SOURCE)


def standings(
    letters: Collection[Letter],
    sent: Container[tuple[Source | None, int]],
    is_absent: Callable[[Source], bool] = lambda _: False,
) -> list[tuple[Letter, Standing]]:
    """The standing of each letter, given all letters.

    ``sent``: the (source, redrive count) pairs that have been sent back already. ``is_absent``:
    whether a source is in a partition whose number ``retries`` lacks, so that the letter cannot go
    back.
    """
    by_death = sorted(letters, key=lambda letter: letter.redriven)
    latest: dict[Source | None, Letter] = {
        letter.source: letter for letter in by_death if letter.source is not None
    }

    def standing(letter: Letter) -> Standing:
        if latest.get(letter.source, letter) is not letter:
            return Standing.REPLACED
        if letter.event is None:
            return Standing.NO_EVENT
        if letter.source_unreadable or (letter.source is not None and is_absent(letter.source)):
            return Standing.NO_SOURCE
        if (letter.source, letter.redriven + 1) in sent:
            return Standing.SENT_BACK
        return Standing.OPEN

    return [(letter, standing(letter)) for letter in letters]


def in_turn(letters: Sequence[Letter]) -> list[Letter]:
    """The letters in the order in which to send them back. Those of one interaction come in the
    order of their records in ``events``, which may differ from the order in which they died.
    Otherwise the order stays."""
    turns: defaultdict[str | None, deque[Letter]] = defaultdict(deque)
    for letter in sorted(letters, key=lambda each: each.source.offset if each.source else -1):
        turns[letter.interaction_id].append(letter)
    return [turns[letter.interaction_id].popleft() for letter in letters]


def _shown(content: bytes | None) -> str | None:
    return None if content is None else foreign_text(content, MESSAGE_LENGTH)


def _source(headers: Iterable[tuple[str, str | None]]) -> Source | None:
    """The source. None when one of its headers is missing or nonsense, or is there twice with two
    values: sent back to a wrong place, the record would be decided in the place of another one."""
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
