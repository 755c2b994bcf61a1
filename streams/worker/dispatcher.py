"""Takes records up from the agents into the lanes, and drains the lanes before a partition goes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

from faust.types import TP
from faust.types.tuples import Message

from streams.clock import Clock, Resting
from streams.errors import OffsetHole, OwnershipLost
from streams.kafka.settings import TopicNames
from streams.worker import incoming
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.lanes.lanes import Lanes
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.waiting_room import WaitingRoom
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.frontier import Arrival
from streams.worker.partitions.offset_probe import First
from streams.worker.processor import RecordProcessor
from streams.worker.state.table import InteractionTable

log = logging.getLogger(__name__)

# How long lanes may finish the records in hand, and those below them in their partition, before
# these are abandoned. A longer drain would keep the whole group waiting in the rebalance, and the
# worker would not obey a SIGTERM within 10 s.
DRAIN_SECONDS = 5.0

# Share of MAX_IN_FLIGHT for records that come back from `retries`. Records that fail again and
# again take at most this share of the API's time from the others, and records that an outage has
# put off are still decided within minutes.
RETURNED_SHARE = 0.05


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
        processor: RecordProcessor,
        table: InteractionTable,
        holes: HoleInspector,
        clock: Clock,
        metrics: WorkerMetrics,
        dead_letter_limit: DeadLetterLimit,
        topics: TopicNames,
        skipped: incoming.Skipped,
        in_flight: int,
        assignments: Assignments,
        partitions: Partitions,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._processor = processor
        self._table = table
        self._holes = holes
        self._clock = clock
        self._metrics = metrics
        self._dead_letter_limit = dead_letter_limit
        self._events, self._retries = topics.events, topics.retries
        self._skipped = skipped
        self._in_flight = in_flight
        self._assignments = assignments
        self._partitions = partitions
        self._on_failure = on_failure
        self.lanes: Lanes[SourceRecord] = self._new_lanes()
        self.waiting = self._new_waiting_room()

    def begin_assignment(self, assignment: Assignment) -> None:
        self.waiting.close()
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
        if not await self.lanes.drain(DRAIN_SECONDS):
            log.warning(
                "lanes abandoned in the middle of a call: their records will be taken up again, "
                "and a PATCH in doubt looked at first",
                extra={"generation": assignment.generation},
            )
        self._table.disown()

    @property
    def held(self) -> Collection[TP]:
        """Partitions whose reading is held back because too many of their records wait."""
        return self._of_retries() if self.waiting.full else ()

    async def take_up(self, message: Message) -> None:
        """Put the next record of a partition into its lane, or into the waiting room if it is from
        ``retries``.

        Waits while memory is full. Once too many records have failed, waits until the partitions
        are to be given up. Raises OffsetHole when the broker has records that were not delivered.
        """
        assignment = self._assignments.current
        if (
            assignment is None
            or assignment.ending.is_set()
            or message.generation_id != assignment.generation
        ):
            return
        if self._dead_letter_limit.passed is not None:
            log.error("stopped: %s", self._dead_letter_limit.passed)
            await assignment.ending.wait()
            return
        frontier = assignment.frontiers[message.tp]
        arrival = frontier.take_up(message.offset)
        if arrival is Arrival.HOLE:
            await self._inspect_hole(assignment, message)
            arrival = frontier.take_up(message.offset)
        if arrival is Arrival.REPEATED:
            self._metrics.repeated(message.tp.partition)
            return
        record = self._source_record(assignment, message)
        if self._partitions.misplaced(record.tp, record.key):
            self._metrics.misplaced(record.tp.partition)
        if record.tp.topic == self._retries:
            self.waiting.put(record)
        else:
            await self.lanes.put(record)

    async def _inspect_hole(self, assignment: Assignment, message: Message) -> None:
        """Skip offsets only where the broker has no record (design, promise 2). Raises OffsetHole
        where it has one."""
        frontier = assignment.frontiers[message.tp]
        expected = frontier.expected
        self._metrics.hole(message.tp.partition)
        first = await self._holes.first_at_or_after(message.tp, expected)
        if first.offset < message.offset:
            raise OffsetHole(
                f"{message.tp.topic}/{message.tp.partition}: offset {expected} was expected, "
                f"{message.offset} came, and the broker has a record at {first.offset}; nothing "
                "behind the hole is acknowledged, start the worker again to go on from there"
            )
        facts = {
            "topic": message.tp.topic,
            "partition": message.tp.partition,
            "from": expected,
            "to": message.offset,
        }
        gone = min(first.beginning, message.offset) - expected
        if gone > 0:
            self._metrics.deleted_undecided(message.tp, gone)
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
        frontier.skip_to(message.offset)

    def _source_record(self, assignment: Assignment, message: Message) -> SourceRecord:
        read = incoming.read(
            message,
            self._clock.time(),
            events=self._events,
            retries=self._retries,
            skipped=self._skipped,
        )
        return SourceRecord(
            assignment=assignment,
            tp=message.tp,
            offset=message.offset,
            key=read.key,
            value=read.value,
            headers=read.headers,
            timestamp=read.timestamp,
            taken_up_at=self._clock.monotonic(),
            event=read.event,
            source=read.source,
            attempt=read.put_off.attempt,
            not_before=read.not_before,
            redriven=read.redriven,
        )

    async def _admit(self, record: SourceRecord) -> None:
        """Hand a record whose ``not_before`` has passed to its lane."""
        await self.lanes.put(replace(record, taken_up_at=self._clock.monotonic()))

    async def _process(self, record: SourceRecord, resting: Resting) -> None:
        if self._dead_letter_limit.passed is not None:
            return  # unfinished, and so are all behind it: the next start takes them up again
        waiting = self.waiting
        record.begin()
        try:
            await self._processor.process(record, resting)
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
            at_once=max(1, round(self._in_flight * RETURNED_SHARE)),
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
