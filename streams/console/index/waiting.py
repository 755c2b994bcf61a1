"""What the index knows to be unfinished: records that were put off, dead letters, and the lowest
open record of a partition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from streams.console.index.entries import LETTERS
from streams.console.index.keys import (
    WAITS,
    Place,
    Topic,
    event_prefix,
    list_prefix,
    log_prefix,
    place_of,
    record_key,
)
from streams.console.index.raw import RawRecord
from streams.console.index.store import Index
from streams.core.records import Source
from streams.operator.explain.records import letter_record, outcome_record, return_record
from streams.operator.standing import Standing, standings
from streams.wire.dead_letters import Letter
from streams.wire.outcomes import Outcome

# Put-off records that are read to be sorted by their next try. An outage may leave more; the page
# then says how many it has not looked at.
MOST_WAITING = 2_000

# Records above the committed offset that are looked at for the lowest open one: what a worker has
# in flight and in groups is a few thousand.
MOST_OPEN = 5_000

# Dead letters that are looked at for one page.
MOST_LETTERS = 5_000


@dataclass(frozen=True, slots=True)
class Deferred:
    """What waits for another try, the next one first. ``more``: how many were not read."""

    outcomes: Sequence[Outcome]
    more: int


def deferred(index: Index) -> Deferred:
    """Raises IndexDamaged, ConsoleError, as all here."""
    found: list[Outcome] = []
    more = 0
    for number, (_, place) in enumerate(index.scan(WAITS)):
        if number >= MOST_WAITING:
            more += 1
            continue
        record = index.record(place_of(place))
        outcome = None if record is None else outcome_record(record).outcome
        if isinstance(outcome, Outcome):
            found.append(outcome)
    return Deferred(sorted(found, key=lambda each: each.next_at or ""), more)


def letter_at(index: Index, partition: int, offset: int) -> tuple[Letter, Standing] | None:
    """One dead letter and what has become of it; None where there is none."""
    record = index.record(Place(Topic.LETTERS, partition, offset))
    return None if record is None else _stood(index, record)


def letters(
    index: Index, most: int, *, only_open: bool, reason: str | None
) -> tuple[list[tuple[Letter, Standing]], bool]:
    """The latest dead letters, and whether there are more than were looked at or asked for."""
    found: list[tuple[Letter, Standing]] = []
    for number, (key, _) in enumerate(index.scan(list_prefix(LETTERS))):
        if len(found) == most or number == MOST_LETTERS:
            return found, True
        record = index.record(place_of(key))
        if record is None:
            continue
        letter, stands = _stood(index, record)
        if (stands.open or not only_open) and reason in (None, letter.reason):
            found.append((letter, stands))
    return found, False


def number_of_letters(index: Index) -> int:
    """How many there are, at most MOST_LETTERS."""
    return sum(1 for _ in islice(index.scan(list_prefix(LETTERS)), MOST_LETTERS))


def lowest_open(index: Index, partition: int, committed: int) -> tuple[RawRecord | None, bool]:
    """The first event from ``committed`` on that has no final outcome; and whether there may be one
    beyond those that were looked at."""
    prefix = log_prefix(Topic.EVENTS, partition)
    start = record_key(Place(Topic.EVENTS, partition, committed))
    for number, (key, packed) in enumerate(index.scan(prefix, start)):
        if number == MOST_OPEN:
            return None, True
        if not _is_decided(index, partition, place_of(key).offset):
            return index.unpacked(key, packed), False
    return None, False


def _is_decided(index: Index, partition: int, offset: int) -> bool:
    return any(
        isinstance(outcome, Outcome) and outcome.final and outcome.leg is None
        for record in _about(index, partition, offset, Topic.OUTCOMES)
        for outcome in [outcome_record(record).outcome]
    )


def _about(index: Index, partition: int, offset: int, topic: Topic) -> Iterator[RawRecord]:
    """The records of a topic that are about one event."""
    for key, _ in index.scan(event_prefix(partition, offset)):
        if (place := place_of(key)).topic is topic:
            record = index.record(place)
            if record is not None:
                yield record


def _stood(index: Index, record: RawRecord) -> tuple[Letter, Standing]:
    """The letter, judged beside the others of its record and what was sent back of it."""
    letter = letter_record(record).letter
    source = letter.source
    beside, sent = [letter], set[tuple[Source | None, int]]()
    if source is not None and source.topic == index.name_of(Topic.EVENTS):
        at = (source.partition, source.offset)
        others = (letter_record(each).letter for each in _about(index, *at, Topic.LETTERS))
        beside = [letter, *(each for each in others if each.place != letter.place)]
        beside.sort(key=lambda each: (each.failed_at or 0, each.partition, each.offset))
        for each in _about(index, *at, Topic.RETRIES):
            returned = return_record(each).returned
            if returned is not None and returned.redriven:
                sent.add((returned.source, returned.redriven))
    stood = standings(beside, sent)
    return next(each for each in stood if each[0].place == letter.place)
