"""Partitions, what was put off, and the dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from streams.console.desk import Desk
from streams.console.index.waiting import deferred, letter_at, letters, lowest_open
from streams.core.envelope import INTERACTION_ID
from streams.core.foreign_text import foreign_text
from streams.operator.explain.records import event_record
from streams.operator.explain.verdicts import sentence
from streams.operator.standing import Standing
from streams.timestamps import epoch_ms
from streams.wire.dead_letters import REASONS, Letter
from streams.wire.outcomes import Outcome
from streams.wire.reading import Unreadable

LETTERS_SHOWN, DEFERRED_SHOWN = 200, 500

# Of a letter's own bytes.
VALUE_LENGTH = 20_000

WHAT_BECAME = {
    Standing.OPEN: "it waits for a redrive",
    Standing.NO_EVENT: "its bytes are no event, so no redrive takes it",
    Standing.NO_SOURCE: "its place in events is not known, so no redrive takes it",
    Standing.NEWER: "a newer release has written it, and has to redrive it",
    Standing.REDRIVEN: "it was redriven, and has not died again",
    Standing.REPLACED: "a later letter is of the same record",
}


@dataclass(frozen=True, slots=True)
class Partition:
    """``committed``: None where the group has never committed. ``open_offset``, ``open_of``: the
    lowest record without a final outcome, and its interaction. ``unknown``: it was not found among
    the records that were looked at."""

    number: int
    committed: int | None
    open_offset: int | None
    open_of: str | None
    open_since: int | None
    unknown: bool
    end: int
    retries_committed: int | None
    retries_end: int

    @property
    def lag(self) -> int:
        return self.end - (self.committed or 0)


def partitions(desk: Desk, _: Mapping[str, str]) -> dict[str, object]:
    """Raises IndexDamaged, ConsoleError, as all here."""
    found = list(_partitions(desk))
    return {
        "partitions": found,
        "failure": desk.offsets.failure,
        "lag": sum(each.lag for each in found),
        "topics": desk.topics,
    }


def _partitions(desk: Desk) -> Iterator[Partition]:
    committed, ends = desk.offsets.committed, desk.progress.ends
    for number in range(desk.partitions):
        events = TopicPartition(desk.topics.events, number)
        retries = TopicPartition(desk.topics.retries, number)
        at = committed.get(events)
        record, unknown = lowest_open(desk.index, number, at or 0)
        event = None if record is None else event_record(record).event
        yield Partition(
            number,
            at,
            None if record is None else record.offset,
            None if event is None or isinstance(event, Unreadable) else event.interaction_id,
            None if record is None else record.timestamp,
            unknown,
            ends.get(events, 0),
            committed.get(retries),
            ends.get(retries, 0),
        )


@dataclass(frozen=True, slots=True)
class PutOff:
    outcome: Outcome
    since: int
    next_at: int | None
    what: str


def put_off(desk: Desk, _: Mapping[str, str]) -> dict[str, object]:
    waiting = deferred(desk.index)
    reasons: dict[str, int] = {}
    for each in waiting.outcomes:
        reasons[each.reason] = reasons.get(each.reason, 0) + 1
    return {
        "rows": [
            PutOff(
                each,
                epoch_ms(each.event_time) or 0,
                epoch_ms(each.next_at),
                sentence(each, None, desk.threshold_ms),
            )
            for each in waiting.outcomes[:DEFERRED_SHOWN]
        ],
        "number": len(waiting.outcomes) + waiting.more,
        "reasons": sorted(reasons.items(), key=lambda each: -each[1]),
    }


def dead_letters(desk: Desk, query: Mapping[str, str]) -> dict[str, object]:
    reason = query.get("reason") or None
    every = query.get("show") == "all"
    found, more = letters(desk.index, LETTERS_SHOWN, only_open=not every, reason=reason)
    return {
        "letters": [(letter, stands, _named(letter)) for letter, stands in found],
        "more": more,
        "all": every,
        "reason": foreign_text(reason or "", 100),
        "reasons": [each.value for each in REASONS],
        "became": WHAT_BECAME,
    }


def dead_letter(desk: Desk, partition: int, offset: int) -> dict[str, object] | None:
    """None where there is none."""
    found = letter_at(desk.index, partition, offset)
    if found is None:
        return None
    letter, stands = found
    return {
        "letter": letter,
        "standing": stands,
        "became": WHAT_BECAME[stands],
        "key": _text(letter.key),
        "value": _text(letter.value),
        "size": len(letter.value or b""),
        "name": _named(letter),
        "may_go_back": stands is Standing.OPEN,
        "goes_to": _goes_to(desk, letter),
    }


def _named(letter: Letter) -> str | None:
    """The interaction, by its event or at least by its key."""
    key = _text(letter.key)
    is_id = key is not None and INTERACTION_ID.fullmatch(key)
    return letter.interaction_id or (key if is_id else None)


def _goes_to(desk: Desk, letter: Letter) -> str:
    if letter.source is None or letter.source.topic != desk.topics.events:
        return desk.topics.events
    return f"{desk.topics.retries}/{letter.source.partition}"


def _text(content: bytes | None) -> str | None:
    return None if content is None else foreign_text(content, VALUE_LENGTH)
