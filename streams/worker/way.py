"""The way of a record through the worker: what is chosen, once, with the dialect of the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streams.clock import Resting
from streams.core.event import Event
from streams.worker.lanes.source_record import SourceRecord


class QuickWay(Protocol):
    """Decides a record where it is taken up."""

    def take(self, record: SourceRecord) -> bool:
        """Decide the record if it needs nothing that has to be waited for. False, and nothing has
        changed, for a record that has to be worked on in its lane. Raises StoreError."""
        ...


class Processor(Protocol):
    """Decides a record in its lane."""

    async def process(self, record: SourceRecord, resting: Resting) -> None:
        """Decide the record, publish what became of it, and finish it. ``resting``: entered for the
        waits between its tries. Raises OwnershipLost, StoreError, PublishError."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """``parse``: reads an event; None for one of another detail-type; raises EnvelopeError.
    ``returned_share``: part of MAX_IN_FLIGHT for records that come back from ``retries``.
    ``room``: the most of them that wait in memory; ``spilled``: the most that wait on the disk.
    ``planned``: whether one that waits is there because a look is planned, and not because
    something has failed; raises StoreError. ``ordinary``: requests of a record that is asked about;
    ``asks_events``: whether that is an event in its lane, or only a record that comes back."""

    parse: Callable[[bytes], Event | None]
    quick_path: QuickWay
    processor: Processor
    returned_share: float
    room: int
    spilled: int = 0
    planned: Callable[[SourceRecord], bool] = lambda _: False
    ordinary: float = 2.0
    asks_events: bool = True
