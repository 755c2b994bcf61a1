"""Finds outcomes by reason, decision, HTTP status and time, and interactions by what is known of
them. Reads an index and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.console.index.entries import (
    DECISION,
    LONGEST_ALIAS,
    OUTCOMES,
    REASON,
    STATUS,
    Row,
    decode_row,
)
from streams.console.index.keys import (
    Place,
    after,
    alias_prefix,
    id_in,
    id_prefix,
    list_prefix,
    list_time,
    place_of,
    time_in,
)
from streams.console.index.store import Index
from streams.core.foreign_text import foreign_text

# Entries that one page looks at. A filter that few of them pass ends there, and the page says from
# when on it goes on: some 50 ms, in which no other page is answered.
MOST_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Query:
    """Outcomes that meet every condition given. Times in epoch milliseconds, ``until`` not
    included."""

    decision: str | None = None
    reason: str | None = None
    status: int | None = None
    since: int | None = None
    until: int | None = None

    def list(self) -> str:
        """The shortest list that has all of them."""
        if self.reason is not None:
            return REASON + self.reason
        if self.status is not None:
            return f"{STATUS}{self.status}"
        if self.decision is not None:
            return DECISION + self.decision
        return OUTCOMES

    def admits(self, row: Row) -> bool:
        return (
            self.decision in (None, row.decision)
            and self.reason in (None, row.reason)
            and self.status in (None, row.status)
        )


@dataclass(frozen=True, slots=True)
class Hits:
    """Places of outcomes, the latest first. ``more``: the key to go on from, None at the end.
    ``reached``: the time down to which was looked, where it ended before the page was full."""

    places: Sequence[Place]
    more: bytes | None
    reached: int | None = None


def find(index: Index, query: Query, most: int, start: bytes | None = None) -> Hits:
    """The next ``most`` that the query admits. ``start``: the ``more`` of the page before. Raises
    IndexDamaged, ConsoleError."""
    prefix = list_prefix(query.list())
    first = prefix if query.until is None else prefix + list_time(query.until - 1)
    end = after(prefix) if query.since is None else prefix + after(list_time(query.since))
    if start is not None and prefix <= start < end:
        first = max(first, start)
    places: list[Place] = []
    for looked_at, (key, value) in enumerate(index.scan(prefix, first, end)):
        if len(places) == most:
            return Hits(places, key)
        if looked_at == MOST_LOOKED_AT:
            return Hits(places, key, time_in(key))
        if query.admits(decode_row(value)):
            places.append(place_of(key))
    return Hits(places, None)


def interactions_like(index: Index, text: str, most: int) -> list[str]:
    """The interactions that somebody who wrote this means: the one with this id, or that an event,
    an outcome or a trace with this id belongs to; else those whose ids begin so."""
    sought = foreign_text(text, LONGEST_ALIAS)
    prefix = id_prefix(sought)
    if next(index.scan(prefix), None) is not None:
        return [sought]
    alias = alias_prefix(sought)
    if named := [key[len(alias) :].decode() for key, _ in index.scan(alias)]:
        return named[:most]
    found: list[str] = []
    begins = prefix[:-1]
    at: bytes | None = begins
    while at is not None and len(found) < most:
        key, _ = next(index.scan(begins, at), (None, b""))
        if key is None:
            break
        found.append(id_in(key))
        at = after(id_prefix(found[-1]))
    return found
