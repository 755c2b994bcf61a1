"""Takes records up from the agents into the lanes, and drains the lanes before a partition goes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any, Protocol

import msgspec
from faust.types import TP
from faust.types.tuples import Message

from streams.clock import Clock, Resting
from streams.core.stuck import Where
from streams.errors import OffsetHole, OwnershipLost
from streams.kafka.settings import TopicNames
from streams.worker import incoming
from streams.worker.consumption import Consumption
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.group_commit import GroupCommit
from streams.worker.incoming import Incoming
from streams.worker.invariants import Invariants
from streams.worker.lanes.lanes import Lanes
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.spill import Spill, Spilled
from streams.worker.lanes.waiting_room import WaitingRoom
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.frontier import Arrival
from streams.worker.partitions.offset_probe import First
from streams.worker.partitions.runs import Run
from streams.worker.state.table import InteractionTable
from streams.worker.way import Way

log = logging.getLogger(__name__)

# How long lanes may finish the records in hand, and those below them in their partition, before
# these are abandoned. A longer drain would keep the whole group waiting in the rebalance, and the
# worker would not obey a SIGTERM within 10 s.
DRAIN_SECONDS = 5.0

# Records of a run that are read, one after the other, before the first of them is decided: Python
# is faster while it stays in the same code. One by one, a record took 131 us instead of 115; more
# gain nothing that can be measured.
READ_AHEAD = 100


class HoleInspector(Protocol):
    """Asks the broker which records a partition really has."""

    async def first_at_or_after(self, tp: TP, offset: int) -> First:
        """The first record that a fetch from ``offset`` returns."""
        ...


class Partitions(Protocol):
    """The source partitions as the consumer reads them."""

    def hold_back(self, tps: Collection[TP], held: bool) -> None:
        """Stop reading these partitions while ``held``, else read on."""
        ...

    def misplaced(self, tp: TP, key: bytes | None) -> bool:
        """Whether the record lies in another partition than the default partitioner gives its
        key."""
        ...


class Dispatcher:
    """The AssignmentObserver to which the agents hand their records."""

    def __init__(
        self,
        *,
        way: Way,
        table: InteractionTable[Any],
        holes: HoleInspector,
        clock: Clock,
        metrics: WorkerMetrics,
        dead_letter_limit: DeadLetterLimit,
        topics: TopicNames,
        skipped: incoming.Skipped,
        spill: Spill,
        in_flight: int,
        assignments: Assignments,
        partitions: Partitions,
        commits: GroupCommit[Any],
        invariants: Invariants,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._commits = commits
        self._invariants = invariants
        self._quick_path = way.quick_path
        self._processor = way.processor
        self._room = way.room
        self._spill = spill
        self._planned = way.planned
        self.consumption = Consumption(way.ordinary, asks_events=way.asks_events)
        self._returned_at_once = max(1, round(in_flight * way.returned_share))
        self._table = table
        self._holes = holes
        self._clock = clock
        self._metrics = metrics
        self._dead_letter_limit = dead_letter_limit
        self._retries = topics.retries
        self._incoming = partial(
            incoming.read,
            parse=way.parse,
            events=topics.events,
            retries=topics.retries,
            skipped=skipped,
        )
        self._in_flight = in_flight
        self._assignments = assignments
        self._partitions = partitions
        self._on_failure = on_failure
        self.lanes: Lanes[SourceRecord] = self._new_lanes()
        self.waiting = self._new_waiting_room()

    def begin_assignment(self, assignment: Assignment) -> None:
        self.waiting.close()
        self._commits.abandon()
        self.lanes, self.waiting = self._new_lanes(), self._new_waiting_room()
        self._metrics.rebalanced()
        log.info(
            "partitions taken over",
            extra={
                "generation": assignment.generation,
                "committed": {
                    tp.partition: frontier.committed
                    for tp, frontier in sorted(assignment.frontiers.items())
                    if tp.topic != self._retries
                },
            },
        )

    async def end_assignment(self, assignment: Assignment) -> None:
        assignment.ending.set()
        self.waiting.close()
        began = self._clock.monotonic()
        drained = await self.lanes.drain(DRAIN_SECONDS)
        left = DRAIN_SECONDS - (self._clock.monotonic() - began)
        if not await self._commits.drain(max(0.0, left)) or not drained:
            log.warning(
                "lanes abandoned in the middle of a call: their records will be taken up again, "
                "and a PATCH in doubt looked at first",
                extra={"generation": assignment.generation},
            )
        self._table.disown()

    def committing(self, assignment: Assignment, offsets: Mapping[TP, int]) -> None:
        behind = (each for each, where in self.lanes.entries() if where is Where.BEHIND)
        waits = chain(behind, self._commits.unpublished(), self.waiting.records())
        self._invariants.committing(assignment, offsets, waits)

    @property
    def held(self) -> Collection[TP]:
        """Partitions whose reading is held back because too many of their records wait."""
        return self._of_retries() if self.waiting.full else ()

    def in_groups(self) -> Iterator[SourceRecord]:
        """Records that are decided, and wait for their group to be committed."""
        return self._commits.records()

    def is_planned(self, record: SourceRecord) -> bool:
        """Whether a record in the waiting room is a look that nothing has put off. Raises
        StoreError."""
        return self._planned(record)

    async def take_up(self, message: Message) -> None:
        """Put the records of a run into their lanes, or into the waiting room if they are from
        ``retries``.

        Waits while memory is full. Once too many records have failed, waits until the partitions
        are to be given up. Raises OffsetHole when the broker has records that were not delivered.
        """
        assignment = self._assignments.current
        if assignment is None or message.generation_id != assignment.generation:
            return
        run: Run = message.value  # type: ignore[assignment]  # as_message has put it there
        for offset, read in self._read(message.tp, run):
            if assignment.ending.is_set():
                return
            if self._dead_letter_limit.passed is not None:
                log.error("stopped: %s", self._dead_letter_limit.passed)
                await assignment.ending.wait()
                return
            if await self._accepted(assignment, message.tp, offset):
                await self._put(self._source_record(assignment, message.tp, offset, read))

    def _read(self, tp: TP, run: Run) -> Iterator[tuple[int, Incoming]]:
        """Each record of the run with its offset, a chunk read ahead."""
        for begin in range(0, len(run), READ_AHEAD):
            now = self._clock.time()
            chunk = run[begin : begin + READ_AHEAD]
            yield from [(fetched.offset, self._incoming(tp, fetched, now)) for fetched in chunk]

    async def _accepted(self, assignment: Assignment, tp: TP, offset: int) -> bool:
        """Whether the frontier takes up this offset. Raises OffsetHole."""
        frontier = assignment.frontiers[tp]
        arrival = frontier.take_up(offset)
        if arrival is Arrival.HOLE:
            await self._inspect_hole(assignment, tp, offset)
            arrival = frontier.take_up(offset)
        if arrival is Arrival.REPEATED:
            self._metrics.repeated(tp.partition)
        return arrival is Arrival.NEXT

    async def _put(self, record: SourceRecord) -> None:
        if self._partitions.misplaced(record.tp, record.key):
            self._metrics.misplaced(record.tp.partition)
        if record.tp.topic == self._retries:
            self.waiting.put(record)
        elif self.lanes.holds(record.lane) or not self._quick_path.take(record):
            self.consumption.laned()
            await self.lanes.put(record)
        else:
            self.consumption.quick += 1
            await self._commits.room()

    async def _inspect_hole(self, assignment: Assignment, tp: TP, offset: int) -> None:
        """Skip offsets only where the broker has no record (design, promise 2), and none once the
        partitions are to be given up. Raises OffsetHole where it has one."""
        frontier = assignment.frontiers[tp]
        expected = frontier.expected
        self._metrics.hole(tp.partition)
        first = await self._holes.first_at_or_after(tp, expected)
        if assignment.ending.is_set():
            # The broker was asked for so long that the partitions were given up. The lanes may be
            # those of the next assignment by now, which reads these records itself.
            return
        if first.offset < offset:
            raise OffsetHole(
                f"{tp.topic}/{tp.partition}: offset {expected} was expected, "
                f"{offset} came, and the broker has a record at {first.offset}; nothing "
                "behind the hole is acknowledged, start the worker again to go on from there"
            )
        facts = {
            "topic": tp.topic,
            "partition": tp.partition,
            "from": expected,
            "to": offset,
        }
        gone = min(first.beginning, offset) - expected
        if gone > 0:
            self._metrics.deleted_undecided(tp, gone)
            log.error(
                "records are gone that nobody has decided: retention deleted them before they "
                "were read. Passed over",
                extra=facts | {"gone": gone},
            )
        else:
            log.warning(
                "offsets without records passed over: compaction or transaction markers",
                extra=facts,
            )
        frontier.skip_to(offset)

    def _source_record(
        self, assignment: Assignment, tp: TP, offset: int, read: Incoming
    ) -> SourceRecord:
        return SourceRecord(
            assignment=assignment,
            tp=tp,
            offset=offset,
            key=read.key,
            value=read.value,
            headers=read.headers,
            timestamp=read.timestamp,
            taken_up_at=self._clock.monotonic(),
            event=read.event,
            source=read.source,
            attempt=read.put_off.attempt,
            due_ms=read.put_off.not_before,
            not_before=read.not_before,
            redriven=read.redriven,
            replayed=read.replayed,
        )

    def _read_again(self, spilled: Spilled) -> SourceRecord:
        """The record that has waited on the disk, as it was."""
        assignment = self._assignments.current
        assert assignment is not None, "the spill is thrown away when the partitions go"
        tp = TP(self._retries, spilled.partition)
        read = self._incoming(tp, spilled, self._clock.time())
        record = self._source_record(assignment, tp, spilled.offset, read)
        return msgspec.structs.replace(record, taken_up_at=spilled.taken_up_at)

    async def _admit(self, record: SourceRecord) -> None:
        """Hand a record whose ``not_before`` has passed to its lane."""
        self._invariants.waited(record)
        await self.lanes.put(msgspec.structs.replace(record, taken_up_at=self._clock.monotonic()))

    async def _process(self, record: SourceRecord, resting: Resting) -> None:
        if self._dead_letter_limit.passed is not None:
            return  # unfinished, and so are all behind it: the next start takes them up again
        waiting = self.waiting
        record.begin()
        try:
            await self._commits.released(record.lane)
            await self._processor.process(record, resting)
            self.consumption.ended(record)
        except OwnershipLost as lost:
            log.info(
                "record left to its partition's next owner",
                extra={"partition": record.tp.partition, "offset": record.offset, "why": str(lost)},
            )
        finally:
            if record.tp.topic == self._retries:
                waiting.ended()

    def _new_waiting_room(self) -> WaitingRoom:
        return WaitingRoom(
            self._clock,
            at_once=self._returned_at_once,
            room=self._room,
            spill=self._spill,
            read_again=self._read_again,
            admit=self._admit,
            hold=self._hold_retries,
            on_failure=self._on_failure,
        )

    def _hold_retries(self, held: bool) -> None:
        self._partitions.hold_back(self._of_retries(), held)

    def _of_retries(self) -> Collection[TP]:
        assignment = self._assignments.current
        if assignment is None:
            return ()
        return [tp for tp in assignment.frontiers if tp.topic == self._retries]

    def _new_lanes(self) -> Lanes[SourceRecord]:
        return Lanes(self._process, in_flight=self._in_flight, on_failure=self._on_failure)
