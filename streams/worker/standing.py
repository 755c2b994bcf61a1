"""What is open in this worker, oldest first, and why.

It is put together when somebody asks, from what lanes, groups, waiting room and frontiers hold
anyway: a record on its way pays nothing for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nsmallest

from streams import __version__
from streams.clock import Clock, rfc3339
from streams.core.foreign_text import foreign_text
from streams.core.records import Source
from streams.core.stuck import Hold, Stage, State, Where, why
from streams.errors import StoreError
from streams.wire.dead_letters import NAME_LENGTH
from streams.wire.retries import REASON
from streams.wire.stuck import Drain, OpenRecord, WorkerStanding
from streams.worker.dispatcher import Dispatcher
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments

# Records that one answer names: some screens, and below 100 KB. All are counted.
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class _Open:
    record: SourceRecord
    where: Where


class StandingOf:
    """``drain``: returns when all will be done. ``hold``: returns what holds requests to Genesys
    Cloud back. ``stopped``: whether too many records have failed. ``not_ready``: as ``/readyz``.
    ``url``: returns the one that the other workers know."""

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        assignments: Assignments,
        retries: str,
        hold: Callable[[], Hold | None],
        stopped: Callable[[], bool],
        not_ready: Callable[[], str | None],
        drain: Callable[[], Drain],
        url: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._dispatcher = dispatcher
        self._assignments = assignments
        self._retries = retries
        self._hold = hold
        self._stopped = stopped
        self._not_ready = not_ready
        self.drain = drain
        self._url = url
        self._clock = clock
        self._life = uuid.uuid4().hex

    def now(self, most: int = MOST_NAMED) -> WorkerStanding:
        """What is open now, with at most so many records by name."""
        assignment = self._assignments.in_force
        found = {} if assignment is None else _found(self._dispatcher) | self._due_next(most)
        # On the disk, and not among those that are due next.
        others = 0 if assignment is None else len(self._dispatcher.waiting) - _in_room(found)
        nowhere = [] if assignment is None else self._nowhere(assignment, found, others)
        oldest = nsmallest(most, found.values(), key=lambda each: each.record.occurred_at)
        hold, stopped = self._hold(), self._stopped()
        # Those that are nowhere come first: nobody knows how old they are.
        named = [self._unknown(place, hold, stopped=stopped) for place in nowhere[:most]]
        named += [self._named(each, hold, stopped=stopped) for each in oldest[: most - len(named)]]
        frontiers = {} if assignment is None else assignment.frontiers
        return WorkerStanding(
            worker=self._url(),
            life=self._life,
            version=__version__,
            at=rfc3339(self._clock.time()),
            not_ready=self._not_ready(),
            positions={
                f"{tp.topic}/{tp.partition}": each.expected for tp, each in frontiers.items()
            },
            open=len(found) + others + len(nowhere),
            records=tuple(named),
            drain=self.drain(),
        )

    def _named(self, each: _Open, hold: Hold | None, *, stopped: bool) -> OpenRecord:
        record, now = each.record, self._clock.time()
        asked = record.asked[-1] if record.asked else None
        stage = Stage.NONE if asked is None else asked.stage
        planned = each.where is Where.ROOM and self._is_planned(record)
        state = State(each.where, stage, record.not_before - now, planned)
        told = why(state, hold, stopped=stopped)
        passed = self._clock.monotonic()
        sent_at = asked.sent_at if asked is not None and stage is Stage.SENT else None
        reason = dict(record.headers).get(REASON)
        return OpenRecord(
            record=_place(record),
            source=record.source,
            interaction_id=record.interaction_id,
            since=rfc3339(record.occurred_at),
            taken_up_at=rfc3339(now - (passed - record.taken_up_at)),
            cause=told.cause,
            next_at=None if told.next_in is None else rfc3339(now + told.next_in),
            requests=sum(context.calls for context in record.asked),
            sent_at=None if sent_at is None else rfc3339(now - (passed - sent_at)),
            attempt=record.attempt,
            put_off_for=None
            if record.returned_at is None or reason is None
            else foreign_text(reason, NAME_LENGTH),
        )

    def _due_next(self, most: int) -> dict[Source, _Open]:
        """Of the records that wait on the disk, those that are due next."""
        try:
            return {
                _place(record): _Open(record, Where.ROOM)
                for record in self._dispatcher.waiting.spilled(most)
            }
        except StoreError:
            return {}  # the worker ends of it when the first of them is due

    def _nowhere(
        self, assignment: Assignment, found: dict[Source, _Open], others: int
    ) -> list[Source]:
        """Unfinished records that nothing works on: what is begun no more once too many have
        failed. ``others``: how many more than those found wait on the disk."""
        unfinished = sum(frontier.unfinished for frontier in assignment.frontiers.values())
        if others and unfinished <= len(found) + others:
            return []  # a million that wait need not be looked at one by one
        waiting = self._dispatcher.waiting.spill.places()
        on_disk = {(place.partition, place.offset) for place in waiting}
        places = (
            Source(tp.topic, tp.partition, offset)
            for tp, frontier in assignment.frontiers.items()
            for offset in frontier.open()
            if tp.topic != self._retries or (tp.partition, offset) not in on_disk
        )
        return [place for place in places if place not in found]

    def _is_planned(self, record: SourceRecord) -> bool:
        try:
            return self._dispatcher.is_planned(record)
        except StoreError:
            return False  # /readyz says it, and the worker ends

    def _unknown(self, place: Source, hold: Hold | None, *, stopped: bool) -> OpenRecord:
        told = why(State(Where.NOWHERE), hold, stopped=stopped)
        return OpenRecord(place, None, None, None, None, told.cause)


def _found(dispatcher: Dispatcher) -> dict[Source, _Open]:
    """Each open record once. One that waits for its group is in its lane, too: the group says
    more."""
    return {_place(record): _Open(record, where) for record, where in _all(dispatcher)}


def _place(record: SourceRecord) -> Source:
    return Source(record.tp.topic, record.tp.partition, record.offset)


def _all(dispatcher: Dispatcher) -> Iterator[tuple[SourceRecord, Where]]:
    for record in dispatcher.waiting.records():
        yield record, Where.ROOM
    yield from dispatcher.lanes.entries()
    for record in dispatcher.in_groups():
        yield record, Where.GROUP


def _in_room(found: dict[Source, _Open]) -> int:
    return sum(1 for each in found.values() if each.where is Where.ROOM)
