"""One source record on its way through the worker."""

from __future__ import annotations

from collections.abc import Hashable

import msgspec
from faust.types import TP

from streams.clock import Clock, Resting, rfc3339
from streams.core.event import Event
from streams.core.records import Source, Verdict
from streams.core.redelivery import Appearance
from streams.errors import RecordError
from streams.genesys.api import CallContext
from streams.worker.partitions.assignment import Assignment


class SourceRecord(msgspec.Struct, frozen=True):
    """A record taken up from ``events``, or from ``retries`` when it was put off before.

    ``tp``, ``offset``: where it was read. ``source``: the record in ``events`` that this one is, or
    is a copy of. ``attempt``: how often it was put off. ``due_ms``: until when, as its header says
    it, epoch milliseconds. ``not_before``: it is not decided earlier, epoch seconds: the same, or
    less where the header asks for too long a wait. ``redriven``: how often it was redriven;
    ``replayed``: the last time by a replay. ``timestamp``: its time in Kafka, epoch seconds.
    ``taken_up_at``: monotonic seconds. ``event``: the event, or why the record is not handled as
    one. ``asked``: the requests made for it, once there may be any: it alone changes, and shows
    what the record waits for.
    """

    assignment: Assignment
    tp: TP
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: float
    taken_up_at: float
    event: Event | RecordError
    source: Source
    attempt: int = 0
    due_ms: int = 0
    not_before: float = 0.0
    redriven: int = 0
    replayed: bool = False
    asked: list[CallContext] = []

    @property
    def returned_at(self) -> int | None:
        """Its offset in ``retries``; None for a record from ``events``."""
        return None if self.source.topic == self.tp.topic else self.offset

    @property
    def life(self) -> str:
        """The life of the log that its offset belongs to (see ``streams.core.redelivery``)."""
        return self.assignment.lives.get(self.tp.partition, "")

    @property
    def appearance(self) -> Appearance:
        """The facts that show whether it is a redelivery."""
        return Appearance(
            offset=self.source.offset,
            life=self.life,
            time_ms=round(self.timestamp * 1000),
            returned_at=self.returned_at,
            attempt=self.attempt,
            redriven=self.redriven,
        )

    @property
    def occurred_at(self) -> float:
        """The event's own time, or else when the record was written to Kafka; epoch seconds."""
        event = self.event
        occurred_ms = None if isinstance(event, RecordError) else event.occurred_ms
        return self.timestamp if occurred_ms is None else occurred_ms / 1000

    @property
    def interaction_id(self) -> str | None:
        """The interaction's id; None where the record holds no event."""
        return None if isinstance(self.event, RecordError) else self.event.interaction_id

    @property
    def size(self) -> int:
        """Bytes of its value."""
        return len(self.value or b"")

    @property
    def lane(self) -> Hashable:
        """One lane per interaction and partition. A record without an interaction has a lane of its
        own."""
        if self.interaction_id is not None:
            return (self.tp.partition, self.interaction_id)
        return (self.tp.partition, self.offset)

    @property
    def owed(self) -> bool:
        """Whether a later record of its partition is finished or being worked on."""
        return self.assignment.frontiers[self.tp].owes(self.offset)

    def timed(self, verdict: Verdict, clock: Clock) -> Verdict:
        """The verdict on it with the time of the decision, and how long it took."""
        now = clock.time()
        return msgspec.structs.replace(
            verdict,
            decided_at=rfc3339(now),
            latency_ms=round((clock.monotonic() - self.taken_up_at) * 1000, 3),
            end_to_end_ms=round((now - self.occurred_at) * 1000, 3),
        )

    def is_open(self, offset: int) -> bool:
        """Whether a record of the same partition of ``events`` is taken up and not finished."""
        frontier = self.assignment.frontiers.get(TP(self.source.topic, self.tp.partition))
        return frontier is not None and frontier.is_open(offset)

    def asking(self, resting: Resting) -> CallContext:
        """What the calls for it share. ``resting``: entered for the waits between its tries."""
        context = CallContext(guard=self.assignment.check, resting=resting)
        self.asked.append(context)
        return context

    def begin(self) -> None:
        """Note that its lane now works on it."""
        self.assignment.frontiers[self.tp].begin(self.offset)

    def finish(self) -> None:
        """All effects are acknowledged: the frontier may pass."""
        self.assignment.frontiers[self.tp].finish(self.offset)
