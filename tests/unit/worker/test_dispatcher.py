"""Taking records up and giving partitions back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import cast

import pytest
from faust.types import TP
from faust.types.tuples import ConsumerMessage, Message
from prometheus_client import CollectorRegistry

from streams.clock import Resting
from streams.core.envelope import InteractionEvent
from streams.core.records import PutOff, Reason, Source
from streams.core.retry_policy import LONGEST_RETRY_AFTER
from streams.errors import EnvelopeError, OffsetHole, OwnershipLost, PublishError
from streams.kafka.message import Headers
from streams.wire.retries import retry_headers
from streams.worker import dispatcher as dispatcher_module
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.dispatcher import Dispatcher
from streams.worker.lanes import waiting_room as waiting_module
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.offset_probe import First
from streams.worker.partitions.starting_point import Start
from streams.worker.processor import RecordProcessor
from streams.worker.state.table import InteractionTable
from tests.support.scripted import LeapingClock, SteppedClock, until
from tests.support.world import EVENTS, RETRIES, TOPICS, event, samples

OTHER = TP(EVENTS.topic, 4)


class StandInProcessor:
    """Finishes each record at once, or does what the test says."""

    def __init__(self) -> None:
        self.works: list[SourceRecord] = []
        self.does: Callable[[SourceRecord], Awaitable[None]] | None = None

    async def process(self, work: SourceRecord, resting: Resting) -> None:
        self.works.append(work)
        if self.does is not None:
            await self.does(work)
        work.finish()


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

    async def first_at_or_after(self, tp: TP, offset: int) -> First:
        self.asked.append((tp, offset))
        return First(self.first, self.beginning)


class StandInPartitions:
    """Partitions: remembers what is held back, and tells what one test says of a key."""

    def __init__(self) -> None:
        self.held_back: list[tuple[list[TP], bool]] = []
        self.elsewhere: tuple[TP, bytes] | None = None

    def hold_back(self, tps: Collection[TP], held: bool) -> None:
        self.held_back.append((list(tps), held))

    def misplaced(self, tp: TP, key: bytes | None) -> bool:
        return (tp, key) == self.elsewhere


class Desk:
    """A dispatcher with stand-ins all around."""

    def __init__(self, clock: LeapingClock | None = None) -> None:
        self.processor = StandInProcessor()
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
        self.dispatcher = Dispatcher(
            processor=cast(RecordProcessor, self.processor),
            table=cast(InteractionTable, self.table),
            holes=self.broker,
            clock=self.clock,
            metrics=self.metrics,
            dead_letter_limit=self.dead_letter_limit,
            topics=TOPICS,
            skipped=frozenset(),
            in_flight=2,
            assignments=self.assignments,
            partitions=self.partitions,
            on_failure=self.failures.append,
        )
        self.assignments.add_listener(self.dispatcher)

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
        return [work.offset for work in self.processor.works]


def message(
    offset: int,
    value: bytes | None = b"",
    *,
    generation: int = 1,
    tp: TP = EVENTS,
    headers: Headers = (("traceparent", b"00-1"),),
) -> Message:
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        offset,
        1_765_552_506.5,
        0,
        list(headers),
        b"i-1",
        event(offset) if value == b"" else value,
        None,
        tp=tp,
        generation_id=generation,
    )


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_records_go_from_the_committed_offset_on(desk: Desk) -> None:
    assignment = desk.begin()

    for offset in (5, 6, 7):
        await desk.take_up(offset)
    await until(lambda: len(desk.offsets) == 3)

    assert desk.offsets == [5, 6, 7]
    assert assignment.frontiers[EVENTS].committable == 8
    assert assignment.frontiers[OTHER].committable == 0


async def test_a_record_is_handed_on_as_it_came(desk: Desk) -> None:
    assignment = desk.begin()

    await desk.take_up(5)

    (work,) = desk.processor.works
    assert (work.assignment, work.tp, work.offset) == (assignment, EVENTS, 5)
    assert (work.key, work.value) == (b"i-1", event(5))
    assert work.headers == (("traceparent", b"00-1"),)
    assert (work.timestamp, work.taken_up_at) == (1_765_552_506.5, desk.clock.now)
    assert isinstance(work.event, InteractionEvent)
    assert work.lane == (EVENTS.partition, "i-1")


@pytest.mark.parametrize(
    "value",
    [None, b"\xff", b"[" * 100_000, b'{"detail-type": "purecloud:v2:other", "detail": {}}'],
)
async def test_what_is_no_event_is_handed_on_too(desk: Desk, value: bytes | None) -> None:
    desk.begin()

    await desk.take_up(5, value)

    (work,) = desk.processor.works
    assert isinstance(work.event, EnvelopeError)
    assert work.value == value
    assert work.lane == (EVENTS.partition, 5)


async def test_nothing_is_taken_up_without_a_assignment(desk: Desk) -> None:
    await desk.take_up(5)

    assert desk.offsets == []


async def test_records_of_another_generation_are_left(desk: Desk) -> None:
    assignment = desk.begin(generation=2)

    await desk.take_up(5, generation=1)

    assert desk.offsets == []
    assert assignment.frontiers[EVENTS].expected == 5


async def test_a_record_that_comes_again_is_dropped_and_counted(desk: Desk) -> None:
    desk.begin()
    await desk.take_up(5)

    await desk.take_up(5)
    await desk.take_up(4)

    assert desk.offsets == [5]
    assert desk.failures == []
    assert samples(desk.metrics)["genesys_streams_repeated_records_total"] == 2


async def test_a_hole_with_records_in_it_is_fatal(desk: Desk) -> None:
    assignment = desk.begin()
    desk.broker.first = 6

    with pytest.raises(OffsetHole, match=r"offset 5 was expected, 8 came, .* a record at 6"):
        await desk.take_up(8)

    assert desk.broker.asked == [(EVENTS, 5)]
    assert desk.offsets == []
    assert assignment.frontiers[EVENTS].committable == 5
    assert samples(desk.metrics)["genesys_streams_offset_holes_total"] == 1


@pytest.mark.parametrize("first", [8, 9])
async def test_a_hole_without_records_is_passed(desk: Desk, first: int) -> None:
    assignment = desk.begin()
    desk.broker.first = first

    await desk.take_up(8)

    assert desk.offsets == [8]
    assert assignment.frontiers[EVENTS].committable == 9


@pytest.mark.parametrize(("beginning", "gone"), [(5, 0), (6, 1), (8, 3), (9, 3)])
async def test_what_retention_deleted_undecided_is_an_error_and_counted(
    desk: Desk, beginning: int, gone: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Of what lies below the beginning of the partition there were records; above it there may be
    transaction markers, or what compaction took."""
    desk.begin()
    desk.broker.first, desk.broker.beginning = 8, beginning

    await desk.take_up(8)

    assert desk.offsets == [8]
    counted = samples(desk.metrics).get("genesys_streams_deleted_undecided_offsets_total", 0)
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (counted, len(errors)) == (gone, 1 if gone else 0)


async def test_a_assignment_knows_the_lives_of_events(desk: Desk) -> None:
    assignment = desk.begin()

    life = f"life of {EVENTS.topic}"
    assert assignment.lives == {EVENTS.partition: life, OTHER.partition: life}


async def test_memory_full_holds_the_agent_back(desk: Desk) -> None:
    desk.begin()
    gate = asyncio.Event()
    desk.processor.does = lambda _work: cast(Awaitable[None], gate.wait())

    async def all_of_them() -> None:
        for offset in range(5, 105):
            await desk.take_up(offset)

    taking = asyncio.create_task(all_of_them())
    await asyncio.wait({taking}, timeout=0.05)

    assert not taking.done()
    assert desk.dispatcher.lanes.backlog == 20
    gate.set()
    await asyncio.wait_for(taking, 5)


async def test_the_record_in_hand_may_end_before_the_partitions_go(desk: Desk) -> None:
    assignment = desk.begin()
    gate = asyncio.Event()
    desk.processor.does = lambda _work: cast(Awaitable[None], gate.wait())
    await desk.take_up(5)
    await desk.take_up(6)
    ending = asyncio.create_task(desk.dispatcher.end_assignment(assignment))
    await asyncio.sleep(0)
    assert assignment.ending.is_set()
    await desk.take_up(7)
    for _ in range(10):  # turns of the loop: an end that waits for nobody would have come
        await asyncio.sleep(0)
    assert not ending.done()

    gate.set()
    await asyncio.wait_for(ending, 5)

    assert desk.offsets == [5]
    assert assignment.frontiers[EVENTS].expected == 7
    assert assignment.uncommitted() == {EVENTS: 6}
    assert desk.table.disowned == 1


async def test_a_record_below_one_that_is_told_is_not_left_to_the_next_owner(desk: Desk) -> None:
    """The committed offset would stay below it, and the one above be told again."""
    assignment = desk.begin()
    gate = asyncio.Event()

    async def hold(work: SourceRecord) -> None:
        if work.offset == 5:
            await gate.wait()

    desk.processor.does = hold
    await desk.take_up(5, event(1))
    await desk.take_up(6, event(2))  # of the same interaction, so behind it
    other = event(1).replace(b'"i-1"', b'"i-2"')
    await desk.take_up(7, other)
    await until(lambda: desk.offsets == [5, 7])
    await desk.take_up(8, event(3))  # nothing above it is begun
    ending = asyncio.create_task(desk.dispatcher.end_assignment(assignment))
    await asyncio.sleep(0)

    gate.set()
    await asyncio.wait_for(ending, 5)

    assert desk.offsets == [5, 7, 6]
    assert assignment.uncommitted() == {EVENTS: 8}


async def test_a_lane_that_does_not_end_is_abandoned(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher_module, "DRAIN_SECONDS", 0.02)
    assignment = desk.begin()
    desk.processor.does = lambda _work: cast(Awaitable[None], asyncio.Event().wait())
    await desk.take_up(5)

    await asyncio.wait_for(desk.dispatcher.end_assignment(assignment), 5)

    assert assignment.uncommitted() == {}
    assert desk.failures == []


async def test_what_an_abandoned_lane_has_queued_is_fenced(desk: Desk) -> None:
    """Once the partitions are given up; not before, for lanes may still end."""
    assignment = desk.begin()
    await desk.dispatcher.end_assignment(assignment)
    assert desk.fenced == []

    assignment.revoke()

    assert desk.fenced == [1]


async def test_the_next_assignment_has_lanes_of_its_own(desk: Desk) -> None:
    assignment = desk.begin()
    await desk.dispatcher.end_assignment(assignment)
    assignment.revoke()

    desk.begin(generation=2)
    await desk.take_up(5, generation=2)

    assert desk.offsets == [5]
    assert desk.assignments.begun == 2


async def test_a_partition_lost_in_the_middle_is_no_failure(desk: Desk) -> None:
    assignment = desk.begin()

    async def lose(work: SourceRecord) -> None:
        work.assignment.revoke()
        work.assignment.check()

    desk.processor.does = lose
    await desk.take_up(5)
    for _ in range(5):
        await asyncio.sleep(0)

    assert desk.dispatcher.lanes.active == 0
    assert desk.failures == []
    assert assignment.uncommitted() == {}
    with pytest.raises(OwnershipLost):
        assignment.check()


async def test_kafka_that_does_not_acknowledge_ends_the_worker(desk: Desk) -> None:
    assignment = desk.begin()

    async def fail(_work: SourceRecord) -> None:
        raise PublishError("no in-sync replicas")

    desk.processor.does = fail
    await desk.take_up(5)
    await until(lambda: bool(desk.failures))
    desk.processor.does = None
    await desk.take_up(6)

    assert [str(failure) for failure in desk.failures] == ["no in-sync replicas"]
    assert desk.offsets == [5]
    assert assignment.uncommitted() == {}


async def test_the_assignment_asks_the_session(desk: Desk) -> None:
    assignment = desk.begin()
    desk.alive = False

    with pytest.raises(OwnershipLost, match="no heartbeat"):
        assignment.check()


# What was put off


async def test_a_record_put_off_is_the_one_it_was(desk: Desk) -> None:
    assignment = desk.begin()

    await desk.comes_back(0, of=3, seconds=-1)
    await until(lambda: bool(desk.processor.works))

    (work,) = desk.processor.works
    assert (work.tp, work.offset, work.returned_at) == (RETRIES, 0, 0)
    assert work.source == Source(EVENTS.topic, EVENTS.partition, 3)
    assert work.attempt == 2
    assert work.lane == (EVENTS.partition, "i-1")
    assert assignment.frontiers[RETRIES].committable == 1


async def test_before_its_time_it_waits_and_holds_nobody_up() -> None:
    desk = Desk(SteppedClock())
    assignment = desk.begin()
    await desk.comes_back(0, of=3, seconds=10)
    for offset in range(5, 50):
        await desk.take_up(offset)
    await until(lambda: len(desk.offsets) == 45)
    assert len(desk.dispatcher.waiting) == 1
    assert assignment.frontiers[RETRIES].committable == 0
    assert assignment.frontiers[EVENTS].committable == 50


async def test_what_is_no_record_put_off_is_handed_on_as_no_event(desk: Desk) -> None:
    desk.begin()

    await desk.take_up(0, tp=RETRIES)
    await until(lambda: bool(desk.processor.works))

    (work,) = desk.processor.works
    assert isinstance(work.event, EnvelopeError)
    assert work.event.field == "retry.source.topic"
    assert work.source == Source(RETRIES.topic, RETRIES.partition, 0)


@pytest.mark.parametrize("place", [RETRIES, OTHER, TP("another.events", EVENTS.partition)])
async def test_what_says_that_it_is_of_another_partition_is_no_event(desk: Desk, place: TP) -> None:
    """Its offset would pass for one of this partition, and what lies below it for told."""
    desk.begin()

    await desk.comes_back(0, of=500, seconds=-1, place=place)
    await until(lambda: bool(desk.processor.works))

    (work,) = desk.processor.works
    assert isinstance(work.event, EnvelopeError)
    assert work.source == Source(RETRIES.topic, RETRIES.partition, 0)


async def test_no_time_that_a_header_gives_is_waited_for_longer_than_the_longest_quiet() -> None:
    clock = SteppedClock()
    desk = Desk(clock)
    desk.begin()
    await desk.comes_back(0, of=3, seconds=400 * LONGEST_RETRY_AFTER)
    await until(lambda: len(desk.dispatcher.waiting) == 1)

    await until(lambda: bool(clock.slept))
    clock.advance(LONGEST_RETRY_AFTER + 1)
    await until(lambda: bool(desk.processor.works))


async def test_what_comes_back_takes_a_share_of_the_slots_and_no_more(desk: Desk) -> None:
    """Of two slots that is one: the other is for what is new."""
    ends = asyncio.Event()

    async def returned_last(work: SourceRecord) -> None:
        if work.returned_at is not None:
            await ends.wait()
            raise OwnershipLost("gone")

    desk.processor.does = returned_last
    desk.begin()
    for offset, source in enumerate((1, 2, 3)):
        await desk.comes_back(offset, of=source, seconds=-1)
    await until(lambda: bool(desk.processor.works))
    for offset in range(3):
        await desk.take_up(offset, tp=OTHER)
    await until(lambda: len(desk.processor.works) == 4)
    assert [work.returned_at for work in desk.processor.works] == [0, None, None, None]
    assert (desk.dispatcher.lanes.backlog, len(desk.dispatcher.waiting)) == (1, 2)

    ends.set()
    await until(lambda: len(desk.processor.works) == 6)


async def test_what_waits_is_left_to_the_next_owner(desk: Desk) -> None:
    assignment = desk.begin()
    await desk.comes_back(0, of=3, seconds=1e9)

    await desk.dispatcher.end_assignment(assignment)
    desk.begin(generation=2)

    assert desk.processor.works == []
    assert len(desk.dispatcher.waiting) == 0
    assert assignment.uncommitted() == {}


async def test_too_many_that_wait_are_read_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_module, "ROOM", 3)
    clock = SteppedClock()
    desk = Desk(clock)
    desk.begin()
    for offset in range(3):
        await desk.comes_back(offset, of=offset, seconds=10)
    assert desk.partitions.held_back == [([RETRIES], True)]
    assert list(desk.dispatcher.held) == [RETRIES]

    await until(lambda: bool(clock.slept))
    clock.advance(10)
    await until(lambda: len(desk.offsets) == 3)

    assert desk.partitions.held_back[-1] == ([RETRIES], False)
    assert not desk.dispatcher.held


async def test_with_too_many_failures_what_is_queued_is_left(desk: Desk) -> None:
    assignment = desk.begin()
    gate = asyncio.Event()
    desk.processor.does = lambda _work: cast(Awaitable[None], gate.wait())
    for offset in (5, 6, 7):
        await desk.take_up(offset)
    desk.dead_letter_limit.passed = "too many failed"
    gate.set()
    await until(lambda: desk.dispatcher.lanes.active == 0)

    assert desk.offsets == [5]
    assert assignment.frontiers[EVENTS].committable == 6


async def test_with_too_many_failures_nothing_more_is_taken_up(desk: Desk) -> None:
    assignment = desk.begin()
    await desk.take_up(5)
    desk.dead_letter_limit.passed = "too many failed"

    taking = asyncio.create_task(desk.take_up(6))
    await desk.dispatcher._admit(desk.processor.works[0])
    await asyncio.wait({taking}, timeout=0.05)

    assert not taking.done()
    assert desk.offsets == [5]
    assert assignment.frontiers[EVENTS].expected == 6
    await desk.dispatcher.end_assignment(assignment)
    await asyncio.wait_for(taking, 5)


async def test_a_record_where_its_key_does_not_belong_is_counted(desk: Desk) -> None:
    desk.begin()
    await desk.take_up(5)
    desk.partitions.elsewhere = (EVENTS, b"i-1")
    await desk.take_up(6)
    assert samples(desk.metrics)["genesys_streams_misplaced_records_total"] == 1
    assert desk.offsets == [5, 6]
