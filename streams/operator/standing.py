"""Selects dead letters for an operator, and finds out which of them are open. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.core.records import Source
from streams.wire.dead_letters import Letter


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

    ``OPEN``: it waits for a redrive. ``NO_EVENT``: its bytes are not an event, so no redrive takes
    it, and nothing else ends that. ``NO_SOURCE``: the same, because its place in ``events``
    can not be read or does not exist. ``NEWER``: a newer release has written it, and may redrive
    it. ``REDRIVEN``: it was redriven, and has not died again.
    ``REPLACED``: a later letter is of the same record, which was written again after a crash, or
    was redriven and died once more.
    """

    OPEN = "open"
    NO_EVENT = "no event"
    NO_SOURCE = "no source"
    NEWER = "newer"
    REDRIVEN = "redriven"
    REPLACED = "replaced"

    @property
    def open(self) -> bool:
        return self in (Standing.OPEN, Standing.NO_EVENT, Standing.NO_SOURCE, Standing.NEWER)


def standings(
    letters: Collection[Letter],
    sent: Container[tuple[Source | None, int]],
    is_absent: Callable[[Source], bool] = lambda _: False,
) -> list[tuple[Letter, Standing]]:
    """The standing of each letter, given all letters.

    ``sent``: the (source, redrive count) pairs that have been redriven already. ``is_absent``:
    whether a source is in a partition whose number ``retries`` lacks, so that the letter cannot go
    back.
    """
    by_redrives = sorted(letters, key=lambda letter: letter.redriven)
    latest: dict[Source | None, Letter] = {
        letter.source: letter for letter in by_redrives if letter.source is not None
    }

    def standing(letter: Letter) -> Standing:
        if latest.get(letter.source, letter) is not letter:
            return Standing.REPLACED
        if letter.newer:
            return Standing.NEWER
        if letter.event is None:
            return Standing.NO_EVENT
        if letter.source_unreadable or (letter.source is not None and is_absent(letter.source)):
            return Standing.NO_SOURCE
        if (letter.source, letter.redriven + 1) in sent:
            return Standing.REDRIVEN
        return Standing.OPEN

    return [(letter, standing(letter)) for letter in letters]


def by_death(letters: Iterable[Letter]) -> list[Letter]:
    """The letters in the order in which they died. Kafka keeps an order within one partition alone,
    so they are sorted by the time that each says; those that say none come first."""
    return sorted(letters, key=lambda each: (each.failed_at or 0, each.partition, each.offset))


def in_turn(letters: Sequence[Letter]) -> list[Letter]:
    """The letters in the order in which to redrive them. Those of one interaction come in the
    order of their records in ``events``, which may differ from the order in which they died.
    Otherwise the order stays."""
    turns: defaultdict[str | None, deque[Letter]] = defaultdict(deque)
    for letter in sorted(letters, key=lambda each: each.source.offset if each.source else -1):
        turns[letter.interaction_id].append(letter)
    return [turns[letter.interaction_id].popleft() for letter in letters]
