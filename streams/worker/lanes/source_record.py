"""One source record on its way through the worker."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from faust.types import TP

from streams.clock import epoch_ms
from streams.core.envelope import InteractionEvent
from streams.core.records import Source
from streams.core.redelivery import Appearance
from streams.errors import RecordError
from streams.worker.partitions.assignment import Assignment


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record taken up, from ``events`` or, put off before, from ``retries``.

    ``tp``, ``offset``: where it was read. ``source``: the record in ``events`` that it is, or is a
    copy of. ``attempt``: how often it was put off. ``not_before``: not to be decided earlier, epoch
    seconds. ``redriven``: how often it was sent back from the dead letters. ``timestamp`` is its
    own in Kafka, ``taken_at`` monotonic; seconds. ``event``: or why it is not handled as one.
    """

    assignment: Assignment
    tp: TP
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: float
    taken_at: float
    event: InteractionEvent | RecordError
    source: Source
    attempt: int = 0
    not_before: float = 0.0
    redriven: int = 0

    @property
    def taken(self) -> int | None:
        """Its offset in ``retries``; None for one from ``events``."""
        return None if self.source.topic == self.tp.topic else self.offset

    @property
    def life(self) -> str:
        """The life of the log that its offset is of (see ``streams.core.redelivery``)."""
        return self.assignment.lives.get(self.tp.partition, "")

    @property
    def appearance(self) -> Appearance:
        """What its redelivery is judged by."""
        return Appearance(
            offset=self.source.offset,
            life=self.life,
            time_ms=round(self.timestamp * 1000),
            taken=self.taken,
            attempt=self.attempt,
            redriven=self.redriven,
        )

    @property
    def occurred_at(self) -> float:
        """The event's own time, else when it was written to Kafka; epoch seconds."""
        event = self.event if isinstance(self.event, InteractionEvent) else None
        occurred_ms = epoch_ms(event.event_time) if event is not None else None
        return self.timestamp if occurred_ms is None else occurred_ms / 1000

    @property
    def interaction_id(self) -> str | None:
        """None where its bytes are no event."""
        return self.event.interaction_id if isinstance(self.event, InteractionEvent) else None

    @property
    def size(self) -> int:
        """Bytes of its value."""
        return len(self.value or b"")

    @property
    def lane(self) -> Hashable:
        """One lane an interaction and partition; what has no interaction waits for nobody."""
        if self.interaction_id is not None:
            return (self.tp.partition, self.interaction_id)
        return (self.tp.partition, self.offset)

    @property
    def owed(self) -> bool:
        """A later one of its partition is done by now, or under way."""
        return self.assignment.frontiers[self.tp].owes(self.offset)

    def begin(self) -> None:
        """Its lane has come to it."""
        self.assignment.frontiers[self.tp].begin(self.offset)

    def finish(self) -> None:
        """All effects are acknowledged: the frontier may pass."""
        self.assignment.frontiers[self.tp].finish(self.offset)
