"""A record of the ``dead-letters`` topic, which of them an operator means, and which are open.
Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.clock import epoch_ms
from streams.envelope import InteractionEvent, parse
from streams.errors import EnvelopeError
from streams.records import Reason, Source

Headers = Sequence[tuple[str, bytes]]

# Those of a `failed` outcome (contract): nothing of ours dies of any other.
REASONS = (
    Reason.FORBIDDEN,
    Reason.UNAUTHORIZED,
    Reason.BAD_REQUEST,
    Reason.RETRIES_EXHAUSTED,
    Reason.MALFORMED,
    Reason.SKIPPED,
    Reason.INTERNAL_ERROR,
)

# As many digits as an offset can have.
_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it lies in the topic.

    ``source``: the record in ``events`` that it is of; None of one from the bridge. ``event``: what
    its bytes are today, None when they are no event. ``redriven``: how often it had been sent back
    when it died. ``failed_at``: epoch milliseconds, None when it does not say.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason: str
    message: str
    stage: str
    failed_at: int | None
    source: Source | None
    redriven: int
    event: InteractionEvent | None

    @property
    def place(self) -> str:
        return f"{self.partition}/{self.offset}"

    @property
    def interaction_id(self) -> str | None:
        return self.event.interaction_id if self.event is not None else None

    def is_of(self, interaction_id: str) -> bool:
        """Of this interaction, or under its key: bytes that are no event have nothing else."""
        return self.interaction_id == interaction_id or self.key == interaction_id.encode()


def read_letter(
    partition: int, offset: int, key: bytes | None, value: bytes | None, headers: Headers
) -> Letter:
    """Whatever the headers are: one that is missing or nonsense reads as empty, none or 0."""
    named = {name: bytes.decode(errors="replace") for name, bytes in headers}
    return Letter(
        partition,
        offset,
        key,
        value,
        headers,
        reason=named.get("dlq.reason", ""),
        message=named.get("dlq.message", ""),
        stage=named.get("dlq.stage", ""),
        failed_at=epoch_ms(named.get("dlq.failed-at")),
        source=_source(named),
        redriven=_number(named.get("dlq.redriven")) or 0,
        event=_event(value),
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters are meant: all that meet every condition given. Times in epoch milliseconds."""

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

    ``OPEN``: a redrive sends it back. ``NO_EVENT``: it never will, and nothing else settles it.
    ``SENT_BACK``: and not dead again. ``REPLACED``: a later letter is of the same record, told
    again after a crash, or sent back and dead once more.
    """

    OPEN = "open"
    NO_EVENT = "no event"
    SENT_BACK = "sent back"
    REPLACED = "replaced"

    @property
    def open(self) -> bool:
        return self in (Standing.OPEN, Standing.NO_EVENT)


def standings(
    letters: Collection[Letter], sent: Container[tuple[Source | None, int]]
) -> list[tuple[Letter, Standing]]:
    """How each letter stands, given all that there are. ``sent``: what has been sent back already,
    each with the how-manyth time it was."""
    by_death = sorted(letters, key=lambda letter: letter.redriven)
    latest: dict[Source | None, Letter] = {
        letter.source: letter for letter in by_death if letter.source is not None
    }

    def standing(letter: Letter) -> Standing:
        if latest.get(letter.source, letter) is not letter:
            return Standing.REPLACED
        if letter.event is None:
            return Standing.NO_EVENT
        if (letter.source, letter.redriven + 1) in sent:
            return Standing.SENT_BACK
        return Standing.OPEN

    return [(letter, standing(letter)) for letter in letters]


def in_turn(letters: Sequence[Letter]) -> list[Letter]:
    """The order to send them back in: those of one interaction in the order of their records in
    ``events``, which need not be the one in which they died; for the rest as they lie."""
    turns: defaultdict[str | None, deque[Letter]] = defaultdict(deque)
    for letter in sorted(letters, key=lambda each: each.source.offset if each.source else -1):
        turns[letter.interaction_id].append(letter)
    return [turns[letter.interaction_id].popleft() for letter in letters]


def _source(named: dict[str, str]) -> Source | None:
    partition = _number(named.get("dlq.source.partition"))
    offset = _number(named.get("dlq.source.offset"))
    topic = named.get("dlq.source.topic")
    if topic is None or partition is None or offset is None:
        return None
    return Source(topic, partition, offset)


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        return None
    return int(text)


def _event(value: bytes | None) -> InteractionEvent | None:
    try:
        return parse(value or b"")
    except EnvelopeError:
        return None
