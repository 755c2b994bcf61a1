"""What is open in a worker, and why, as the dispatcher and its parts hold it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streams.core.records import Source
from streams.core.stuck import Cause, Hold, Stage
from streams.wire.stuck import Drain, OpenRecord, encode_standing, read_standing
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.spill import Spill
from streams.worker.standing import StandingOf
from tests.support.desk import Desk
from tests.support.event_loop import until_idle
from tests.support.scripted import SteppedClock
from tests.support.world import EVENTS, RETRIES, TOPICS, event


@dataclass
class Counter:
    """A desk, and who asks what is open there. Its processor holds each record at a stage."""

    desk: Desk = field(default_factory=lambda: Desk(SteppedClock()))
    hold: Hold | None = None
    stage: Stage = Stage.GATE

    def __post_init__(self) -> None:
        self.over = asyncio.Event()
        self.desk.processor.does = self._work
        self.standing = StandingOf(
            dispatcher=self.desk.dispatcher,
            assignments=self.desk.assignments,
            retries=TOPICS.retries,
            hold=lambda: self.hold,
            stopped=lambda: self.desk.dead_letter_limit.passed is not None,
            not_ready=lambda: None,
            drain=lambda: Drain("t", 0.0, 0, 0.0, 300.0, None, None, None, None, True),
            url=lambda: "http://a:6066",
            clock=self.desk.clock,
        )

    async def _work(self, record: SourceRecord) -> None:
        context = record.asking(self.desk.dispatcher.lanes._slots.resting)
        context.stage, context.calls = self.stage, 2
        await self.over.wait()

    @property
    def open(self) -> list[OpenRecord]:
        return list(self.standing.now().records)

    @property
    def causes(self) -> dict[int, Cause]:
        return {each.record.offset: each.cause for each in self.open}


@pytest.fixture
async def counter() -> Counter:
    return Counter()


def of(interaction: str) -> bytes:
    return event().replace(b'"i-1"', f'"{interaction}"'.encode())


async def test_nothing_is_open_at_first_and_after_the_end(counter: Counter) -> None:
    assert counter.standing.now().positions == {}
    counter.desk.begin()
    await counter.desk.take_up(5)
    await until_idle()
    assert [each.record.offset for each in counter.open] == [5]
    counter.over.set()
    await until_idle()
    standing = counter.standing.now()
    assert (standing.open, standing.records) == (0, ())
    assert standing.positions[f"{EVENTS.topic}/{EVENTS.partition}"] == 6


async def test_a_record_at_the_gate_tells_all_that_is_known_of_it(counter: Counter) -> None:
    counter.desk.begin()
    await counter.desk.take_up(5, event(time="2025-12-12T15:15:00Z"))
    await until_idle()
    counter.hold = Hold(Cause.BREAKER, 20.0)
    counter.desk.clock.now += 3

    assert counter.open == [
        OpenRecord(
            record=Source(EVENTS.topic, EVENTS.partition, 5),
            source=Source(EVENTS.topic, EVENTS.partition, 5),
            interaction_id="i-1",
            since="2025-12-12T15:15:00.000Z",
            taken_up_at="2025-12-12T15:15:07.000Z",
            cause=Cause.BREAKER,
            next_at="2025-12-12T15:15:30.000Z",
            requests=2,
        )
    ]


async def test_who_waits_behind_another_and_who_for_a_slot(counter: Counter) -> None:
    """Two slots: the desk's."""
    counter.desk.begin()
    for offset, interaction in enumerate(["a", "b", "c", "a"], 5):
        await counter.desk.take_up(offset, of(interaction))
    await until_idle()

    assert counter.causes == {
        5: Cause.BUDGET,
        6: Cause.BUDGET,
        7: Cause.SLOT,
        8: Cause.LANE,
    }


async def test_who_finds_no_room_in_the_lanes_is_not_forgotten(counter: Counter) -> None:
    counter.desk.begin()
    taking = asyncio.gather(
        *(counter.desk.take_up(offset, of(f"x{offset}")) for offset in range(5, 27))
    )
    await until_idle()
    full = counter.standing.now()
    counter.over.set()
    await taking

    assert full.open == 22
    assert counter.standing.now().positions[f"{EVENTS.topic}/{EVENTS.partition}"] == 27


async def test_what_is_decided_waits_for_its_group(counter: Counter) -> None:
    counter.desk.begin()
    counter.desk.quick_path.takes = lambda record: True
    await counter.desk.take_up(5)
    counter.desk.commits.decided += counter.desk.quick_path.taken

    assert counter.causes == {5: Cause.KAFKA}


async def test_what_was_put_off_waits_for_its_time(counter: Counter) -> None:
    counter.desk.begin()
    await counter.desk.comes_back(0, of=3, seconds=40)

    (each,) = counter.open
    assert each.record == Source(RETRIES.topic, RETRIES.partition, 0)
    assert each.source == Source(EVENTS.topic, EVENTS.partition, 3)
    assert (each.cause, each.attempt, each.put_off_for) == (Cause.PUT_OFF, 2, "timeout")
    assert each.next_at == "2025-12-12T15:15:47.000Z"


async def test_a_request_that_is_under_way_tells_since_when(counter: Counter) -> None:
    counter.stage = Stage.SENT
    counter.desk.begin()
    await counter.desk.take_up(5)
    await until_idle()
    counter.desk.processor.records[0].asked[0].sent_at = counter.desk.clock.monotonic() - 4

    (each,) = counter.open
    assert (each.cause, each.sent_at) == (Cause.CALL, "2025-12-12T15:15:03.000Z")


async def test_the_oldest_are_named_and_all_are_counted(counter: Counter) -> None:
    counter.desk.begin()
    for offset in range(5, 15):
        at = f"2025-12-12T15:14:{20 - offset:02d}Z"
        await counter.desk.take_up(offset, event(time=at).replace(b"i-1", b"x%d" % offset))
    await until_idle()
    standing = counter.standing.now(most=3)

    assert standing.open == 10
    assert [each.record.offset for each in standing.records] == [14, 13, 12]


async def test_what_nothing_works_on_any_more_comes_first(counter: Counter) -> None:
    """Once too many have failed a record leaves its lane unfinished."""
    counter.over.set()
    counter.desk.begin()
    counter.desk.dead_letter_limit.passed = "40 of the last 40 records failed"
    assignment = counter.desk.assignments.in_force
    assert assignment is not None
    assignment.frontiers[EVENTS].take_up(5)

    (each,) = counter.open
    assert (each.record.offset, each.since, each.cause) == (5, None, Cause.FAILURES)


async def test_of_those_on_the_disk_the_next_are_named_and_all_are_counted(tmp_path: Path) -> None:
    desk = Desk(SteppedClock(), room=1, spill=Spill(tmp_path / "waiting", most=1_000))
    counter = Counter(desk)
    desk.begin()
    for offset in range(200):
        await desk.comes_back(offset, of=offset, seconds=500 - offset)

    told = counter.standing.now(most=3)

    assert told.open == 200
    # The one in memory, and of the others those that are due first: oldest first.
    assert {each.record.offset for each in told.records} <= {0, 199, 198, 197}
    assert all(each.cause is Cause.PUT_OFF for each in told.records)

    assignment = desk.assignments.in_force
    assert assignment is not None
    assignment.frontiers[EVENTS].take_up(5)
    told = counter.standing.now(most=3)
    assert told.open == 201
    assert told.records[0].record == Source(EVENTS.topic, EVENTS.partition, 5)


async def test_a_disk_that_fails_takes_the_names_and_not_the_number(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "waiting", most=10)
    desk = Desk(SteppedClock(), room=0, spill=spill)
    counter = Counter(desk)
    desk.begin()
    await desk.comes_back(0, of=1, seconds=500)
    spill._opened().close()

    told = counter.standing.now()

    assert (told.open, told.records) == (1, ())


async def test_it_is_read_as_it_was_written(counter: Counter) -> None:
    counter.desk.begin()
    await counter.desk.take_up(5)
    await counter.desk.take_up(6, b"no event")
    await until_idle()
    standing = counter.standing.now()

    assert read_standing(encode_standing(standing)) == standing
    assert {each.interaction_id for each in standing.records} == {"i-1", None}
