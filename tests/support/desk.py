"""A dispatcher with stand-ins all around, and the records that come to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator
from typing import Any, cast

from faust.types import TP
from faust.types.tuples import Message
from prometheus_client import CollectorRegistry

from streams.clock import Resting
from streams.core.envelope import parse
from streams.core.records import PutOff, Reason, Source
from streams.kafka.message import Headers
from streams.wire.retries import retry_headers
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.dispatcher import Dispatcher
from streams.worker.group_commit import GroupCommit
from streams.worker.interactions import RETURNED_SHARE, ROOM
from streams.worker.invariants import Invariants
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.spill import Spill
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.offset_probe import First
from streams.worker.partitions.starting_point import Start
from streams.worker.state.table import InteractionTable
from streams.worker.way import Way
from tests.support.fetched import Fetched, in_one_run
from tests.support.scripted import LeapingClock
from tests.support.spills import NO_SPILL
from tests.support.world import EVENTS, RETRIES, TOPICS, event

OTHER = TP(EVENTS.topic, 4)


class StandInProcessor:
    """Finishes each record at once, or does what the test says."""

    def __init__(self) -> None:
        self.records: list[SourceRecord] = []
        self.does: Callable[[SourceRecord], Awaitable[None]] | None = None

    async def process(self, record: SourceRecord, resting: Resting) -> None:
        self.records.append(record)
        if self.does is not None:
            await self.does(record)
        record.finish()


class StandInQuickPath:
    """Takes the records that a test names, and finishes none of them."""

    def __init__(self) -> None:
        self.taken: list[SourceRecord] = []
        self.takes: Callable[[SourceRecord], bool] = lambda _: False

    def take(self, record: SourceRecord) -> bool:
        takes = self.takes(record)
        if takes:
            record.begin()
            self.taken.append(record)
        return takes


class StandInCommits:
    """GroupCommit as a test says: how long there is no room, or a lane is in a group."""

    def __init__(self) -> None:
        self.has_room = asyncio.Event()
        self.has_room.set()
        self.in_group: dict[Hashable, asyncio.Future[None]] = {}
        self.drains: list[float] = []
        self.drained = True
        self.abandoned = 0
        self.decided: list[SourceRecord] = []

    async def room(self) -> None:
        await self.has_room.wait()

    def records(self) -> Iterator[SourceRecord]:
        return iter(self.decided)

    async def released(self, lane: Hashable) -> None:
        if lane in self.in_group:
            await self.in_group[lane]

    async def drain(self, seconds: float) -> bool:
        self.drains.append(seconds)
        return self.drained

    def abandon(self) -> None:
        self.abandoned += 1


class StandInTable:
    disowned = 0

    def disown(self) -> None:
        self.disowned += 1


class StandInBroker:
    """HoleInspector: says where the first record is."""

    first = 0
    beginning = 0

    def __init__(self) -> None:
        self.asked: list[tuple[TP, int]] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def first_at_or_after(self, tp: TP, offset: int) -> First:
        self.asked.append((tp, offset))
        await self.answers.wait()
        return First(self.first, self.beginning)


class StandInPartitions:
    """Partitions: remembers what is held back, and answers what a test has set for a key."""

    def __init__(self) -> None:
        self.held_back: list[tuple[list[TP], bool]] = []
        self.elsewhere: tuple[TP, bytes] | None = None

    def hold_back(self, tps: Collection[TP], held: bool) -> None:
        self.held_back.append((list(tps), held))

    def misplaced(self, tp: TP, key: bytes | None) -> bool:
        return (tp, key) == self.elsewhere


class Desk:
    """A dispatcher with stand-ins all around."""

    def __init__(
        self,
        clock: LeapingClock | None = None,
        *,
        room: int = ROOM,
        spill: Spill | None = None,
    ) -> None:
        self.quick_path = StandInQuickPath()
        self.processor = StandInProcessor()
        self.commits = StandInCommits()
        self.table = StandInTable()
        self.broker = StandInBroker()
        self.clock = clock or LeapingClock()
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.dead_letter_limit = DeadLetterLimit(0.5)
        self.failures: list[BaseException] = []
        self.alive = True
        self.fenced: list[int] = []
        self.partitions = StandInPartitions()
        self.assignments = Assignments(
            events=TOPICS.events,
            session_alive=lambda: self.alive,
            fence=lambda: self.fenced.append(self.assignments.begun),
        )
        self.invariants = Invariants(
            kept=lambda _: True, events=TOPICS.events, metrics=self.metrics
        )
        self.dispatcher = Dispatcher(
            way=Way(
                parse=parse,
                quick_path=self.quick_path,
                processor=self.processor,
                returned_share=RETURNED_SHARE,
                room=room,
            ),
            table=cast(InteractionTable[Any], self.table),
            holes=self.broker,
            clock=self.clock,
            metrics=self.metrics,
            dead_letter_limit=self.dead_letter_limit,
            topics=TOPICS,
            skipped=frozenset(),
            spill=NO_SPILL if spill is None else spill,
            in_flight=2,
            assignments=self.assignments,
            partitions=self.partitions,
            commits=cast(GroupCommit[Any], self.commits),
            invariants=self.invariants,
            on_failure=self.failures.append,
        )
        self.assignments.add_observer(self.dispatcher)

    def begin(self, generation: int = 1, **committed: int) -> Assignment:
        offsets = {EVENTS: committed.get("at", 5), OTHER: 0, RETRIES: 0}
        return self.assignments.begin(
            generation, {tp: Start(offset, f"life of {tp.topic}") for tp, offset in offsets.items()}
        )

    async def take_up(
        self, offset: int, value: bytes | None = b"", *, generation: int = 1, tp: TP = EVENTS
    ) -> None:
        await self.dispatcher.take_up(message(offset, value, generation=generation, tp=tp))
        await asyncio.sleep(0)

    async def comes_back(self, offset: int, *, of: int, seconds: float, place: TP = EVENTS) -> None:
        """A record put off, whose time comes in so many seconds."""
        put_off = PutOff(2, round((self.clock.time() + seconds) * 1000))
        source = Source(place.topic, place.partition, of)
        headers = retry_headers(source, put_off, Reason.TIMEOUT.value)
        await self.dispatcher.take_up(message(offset, event(of), tp=RETRIES, headers=headers))
        await asyncio.sleep(0)

    @property
    def offsets(self) -> list[int]:
        return [record.offset for record in self.processor.records]


def message(
    offset: int,
    value: bytes | None = b"",
    *,
    generation: int = 1,
    tp: TP = EVENTS,
    headers: Headers = (("traceparent", b"00-1"),),
) -> Message:
    fetched = Fetched(offset, event(offset) if value == b"" else value, headers=list(headers))
    return in_one_run(tp, fetched, generation=generation)
