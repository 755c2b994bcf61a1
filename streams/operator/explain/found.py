"""What Kafka has of one interaction, or conversation: its records and their places. Values alone.

Whatever another program wrote, what is here is typed, bounded and fit to be printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.core.event import Event
from streams.core.records import Source
from streams.wire.dead_letters import Letter
from streams.wire.outcomes import Outcome
from streams.wire.reading import Unreadable
from streams.wire.retries import Returned


@dataclass(frozen=True, slots=True)
class Record:
    """A record in Kafka. ``at``: its time there, epoch milliseconds, which the producer says; -1
    for none. ``trace_id``: that in its headers."""

    place: Source
    at: int
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class EventRecord(Record):
    """``received_at``: when the bridge got it, epoch milliseconds; None where it does not say."""

    event: Event | Unreadable
    received_at: int | None = None


@dataclass(frozen=True, slots=True)
class OutcomeRecord(Record):
    outcome: Outcome | Unreadable


@dataclass(frozen=True, slots=True)
class ReturnRecord(Record):
    """A record of ``retries``. ``returned``: None when its headers can not be read. ``reason``: why
    it was put off, or had died before it was sent back. ``by``, ``why``: who has sent it back, and
    what for; empty when nobody has said."""

    returned: Returned | None
    reason: str
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class LetterRecord(Record):
    letter: Letter


@dataclass(frozen=True, slots=True)
class Kept:
    """The first record of the partition that was read, so nothing older is kept there. ``offset``,
    ``at``: None when the partition is empty."""

    topic: str
    partition: int
    offset: int | None
    at: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """All of one interaction, each topic's in the order of its partitions and offsets.

    ``kept``: of ``events``. ``since``: only records from that time on were read, epoch
    milliseconds; None for all. ``outcomes_kept``: of ``outcomes``, whatever was read of it; None
    where nobody asked.
    """

    interaction_id: str
    events: Sequence[EventRecord]
    outcomes: Sequence[OutcomeRecord]
    returns: Sequence[ReturnRecord]
    letters: Sequence[LetterRecord]
    kept: Kept
    since: int | None = None
    outcomes_kept: Kept | None = None
