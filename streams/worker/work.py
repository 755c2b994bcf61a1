"""One source record on its way through the worker."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from faust.types import TP

from streams.envelope import InteractionEvent
from streams.errors import EnvelopeError
from streams.records import Source
from streams.worker.tenure import Tenure


@dataclass(frozen=True, slots=True)
class Work:
    """A record taken up, from ``events`` or, put off before, from ``retries``.

    ``tp``, ``offset``: where it was read. ``source``: the record in ``events`` that it is, or is a
    copy of. ``attempt``: how often it was put off. ``not_before``: not to be decided earlier, epoch
    seconds. ``redriven``: how often it was sent back from the dead letters. ``timestamp`` is its
    own in Kafka, ``taken_at`` monotonic; seconds.
    """

    tenure: Tenure
    tp: TP
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: float
    taken_at: float
    event: InteractionEvent | EnvelopeError
    source: Source
    attempt: int = 0
    not_before: float = 0.0
    redriven: int = 0

    @property
    def taken(self) -> int | None:
        """Its offset in ``retries``; None for one from ``events``."""
        return None if self.source.topic == self.tp.topic else self.offset

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
        return self.tenure.frontiers[self.tp].owes(self.offset)

    def begin(self) -> None:
        """Its lane has come to it."""
        self.tenure.frontiers[self.tp].begin(self.offset)

    def finish(self) -> None:
        """All effects are acknowledged: the frontier may pass."""
        self.tenure.frontiers[self.tp].finish(self.offset)
