"""One record of the ``dead-letters`` topic, and which of them an operator means. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streams.clock import epoch_ms
from streams.envelope import InteractionEvent, parse
from streams.errors import EnvelopeError
from streams.records import Source

Headers = Sequence[tuple[str, bytes]]


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


@dataclass(slots=True)
class Sorted:
    """Letters that are to be sent back, in their order, and why others are not."""

    send: list[Letter] = field(default_factory=list)
    left: list[tuple[Letter, str]] = field(default_factory=list)


def sort(letters: Iterable[Letter], wanted: Wanted, sent: frozenset[tuple[Source, int]]) -> Sorted:
    """Which of the letters to send back. ``sent``: what has been sent back already, each with the
    how-manyth time it was."""
    everything = list(letters)
    latest = {letter.source: letter for letter in everything if letter.source is not None}
    result = Sorted()
    for letter in everything:
        if letter not in wanted:
            continue
        if letter.event is None:
            result.left.append((letter, "its bytes are no event"))
        elif letter.source is not None and latest[letter.source] is not letter:
            continue  # told again after a crash, or sent back since and dead once more
        elif letter.source is not None and (letter.source, letter.redriven + 1) in sent:
            result.left.append((letter, "sent back already, and not dead again"))
        else:
            result.send.append(letter)
    result.send = _in_order(result.send)
    return result


def _in_order(letters: Sequence[Letter]) -> list[Letter]:
    """Those of one interaction in the order of their records in ``events``, which need not be the
    one in which they died; for the rest as they lie."""
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
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _event(value: bytes | None) -> InteractionEvent | None:
    try:
        return parse(value or b"")
    except EnvelopeError:
        return None
