"""Records as a worker of doubles takes them up: its assignment, its frontiers, and no more."""

from __future__ import annotations

from collections.abc import Callable

from streams.core.envelope import parse
from streams.core.event import Event
from streams.core.records import Source
from streams.errors import EnvelopeError
from streams.wire.retries import read_returned
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.partitions.assignment import Assignment
from tests.support.journal import JournalingFrontier
from tests.support.world import EVENTS, RETRIES, KafkaWorld, Sent

Parse = Callable[[bytes], Event | None]


class Incarnation:
    """One life of a worker: what it has taken up. ``parse`` reads its events."""

    def __init__(
        self,
        world: KafkaWorld,
        *,
        committed: int = 0,
        session_alive: Callable[[], bool] = lambda: True,
        parse: Parse = parse,
    ) -> None:
        self._world = world
        self._parse = parse
        self.assignment = Assignment(1, {}, session_alive=session_alive)
        self.frontier = JournalingFrontier(committed, world)
        self.assignment.frontiers[EVENTS] = self.frontier
        self.retries = JournalingFrontier(0, world)
        self.assignment.frontiers[RETRIES] = self.retries

    def take_up(
        self,
        value: bytes | None,
        offset: int = 0,
        *,
        key: bytes | None = b"i-1",
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> SourceRecord:
        self.frontier.skip_to(offset)
        self.frontier.take_up(offset)
        return SourceRecord(
            assignment=self.assignment,
            tp=EVENTS,
            offset=offset,
            key=key,
            value=value,
            headers=headers,
            timestamp=self._world.clock.time(),
            taken_up_at=self._world.clock.monotonic(),
            event=parsed(value, self._parse),
            source=Source(EVENTS.topic, EVENTS.partition, offset),
        )

    def returned(self, sent: Sent, offset: int) -> SourceRecord:
        """What the world has in ``retries``, taken up at this offset of it."""
        returned = read_returned(sent.headers)
        self.retries.skip_to(offset)
        self.retries.take_up(offset)
        return SourceRecord(
            assignment=self.assignment,
            tp=RETRIES,
            offset=offset,
            key=sent.key,
            value=sent.value,
            headers=tuple(sent.headers),
            timestamp=self._world.clock.time(),
            taken_up_at=self._world.clock.monotonic(),
            event=parsed(sent.value, self._parse),
            source=returned.source,
            attempt=returned.put_off.attempt,
            redriven=returned.redriven,
            replayed=returned.replayed,
            due_ms=returned.put_off.not_before,
            not_before=returned.put_off.not_before / 1000,
        )


def parsed(value: bytes | None, parse: Parse = parse) -> Event | EnvelopeError:
    """The event of these bytes, or why they are none."""
    try:
        read = parse(value or b"")
    except EnvelopeError as error:
        return error
    return read or EnvelopeError("no event that this program handles", "detail-type")
