"""When a worker will be done, from what it holds and what records of late have taken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from faust.types import TP

from streams.core.records import Call
from streams.core.stuck import Cause
from streams.wire.stuck import Drain
from streams.worker.consumption import ORDINARY_WEIGHT, Consumption
from streams.worker.drain import RARELY, DrainOf
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.lanes.spill import Spill
from tests.support.desk import Desk
from tests.support.event_loop import until_idle
from tests.support.scripted import SteppedClock, gate_of
from tests.support.world import EVENTS, RETRIES, TOPICS, event


class Reckoner:
    """A desk whose records stay in their lanes, and who reckons when they are done."""

    def __init__(self, spill: Spill | None = None) -> None:
        self.desk = Desk(SteppedClock(), room=5_000 if spill is None else 0, spill=spill)
        self.over = asyncio.Event()
        self.calls: list[Call] = []
        self.behind: dict[TP, int] = {}
        self.never: str | None = None
        self.gate = gate_of(self.desk.clock, per_minute=60)
        self.drain = DrainOf(
            dispatcher=self.desk.dispatcher,
            assignments=self.desk.assignments,
            gate=self.gate,
            retries=TOPICS.retries,
            behind=lambda tp: self.behind.get(tp, 0),
            never=lambda: self.never,
            clock=self.desk.clock,
        )
        self.desk.processor.does = self._work

    async def _work(self, record: SourceRecord) -> None:
        context = record.asking(self.desk.dispatcher.lanes._slots.resting)
        await self.over.wait()
        context.needed = bool(self.calls)
        context.made += self.calls


@pytest.fixture
async def reckoner() -> Reckoner:
    return Reckoner()


def call(status: int) -> Call:
    return Call("2026-01-05T08:00:00.000Z", "GET", status, None, 0.0, 1.0, None)


async def test_nothing_waits(reckoner: Reckoner) -> None:
    reckoner.desk.begin()
    told = reckoner.drain.now()
    assert (told.seconds, told.waiting, told.oldest, told.within_a_day) == (0.0, 0, None, True)


async def test_lanes_partitions_and_the_waiting_room(reckoner: Reckoner) -> None:
    reckoner.desk.begin()
    await reckoner.desk.take_up(5, event(time="2025-12-12T15:15:00Z"))
    await reckoner.desk.comes_back(0, of=3, seconds=100)
    await until_idle()
    reckoner.behind = {EVENTS: 10, RETRIES: 4}

    told = reckoner.drain.now()

    assert told.waiting == 16
    assert told.requests == pytest.approx(32, abs=0.1), "two each, the ordinary number"
    assert told.per_minute == 60
    assert told.seconds == pytest.approx(102), "not before its time"
    assert told.oldest == "2025-12-12T15:15:00.000Z"
    assert told.oldest_seconds == pytest.approx(7)


async def test_what_waits_on_the_disk_is_reckoned_by_the_minute(tmp_path: Path) -> None:
    reckoner = Reckoner(Spill(tmp_path / "waiting", most=100))
    reckoner.desk.begin()
    for offset in range(40):
        await reckoner.desk.comes_back(offset, of=offset, seconds=600 + offset / 1000)

    told = reckoner.drain.now()

    assert told.waiting == 40
    assert told.requests == pytest.approx(80, abs=0.1)
    assert 540 + 80 <= (told.seconds or 0) <= 601 + 80
    assert told.oldest == "2025-12-12T15:15:00.000Z", "what has failed waits, due or not"


async def test_what_holds_requests_back_comes_first(reckoner: Reckoner) -> None:
    reckoner.desk.begin()
    reckoner.gate.pause(500)
    reckoner.behind = {EVENTS: 30}

    told = reckoner.drain.now()

    assert told.held_by is Cause.GATE
    assert told.seconds == pytest.approx(560)
    reckoner.never = "the secret is wrong"
    told = reckoner.drain.now()
    assert (told.at, told.seconds, told.never) == (None, None, "the secret is wrong")


async def test_an_outage_does_not_change_what_a_record_takes(reckoner: Reckoner) -> None:
    """No record is answered meanwhile: what it takes afterwards is what it took before."""
    reckoner.desk.begin()
    reckoner.over.set()
    reckoner.calls = [call(200)]
    for offset in range(5, 205):
        await reckoner.desk.take_up(offset)
    await until_idle()
    measured = reckoner.desk.dispatcher.consumption.per_asked
    assert measured == pytest.approx((200 + 2 * ORDINARY_WEIGHT) / (200 + ORDINARY_WEIGHT))

    reckoner.calls = [call(503)] * 3
    for offset in range(205, 405):
        await reckoner.desk.take_up(offset)
    await until_idle()

    assert reckoner.desk.dispatcher.consumption.per_asked == measured
    assert reckoner.desk.dispatcher.consumption.per_laned == measured


async def test_an_event_that_another_one_settles_makes_those_in_lanes_cheaper(
    reckoner: Reckoner,
) -> None:
    reckoner.desk.begin()
    reckoner.over.set()
    for offset in range(5, 1005):
        reckoner.calls = [call(200)] * 2 if offset % 4 == 0 else []
        await reckoner.desk.take_up(offset)
    await until_idle()

    costs = reckoner.desk.dispatcher.consumption
    assert costs.per_asked == pytest.approx(2.0)
    assert costs.per_laned == pytest.approx(0.5, rel=0.1)


def test_events_that_ask_nobody_cost_what_they_bring_about() -> None:
    costs = Consumption(1.5, asks_events=False)
    for _ in range(10_000):
        costs.laned()
    assert costs.per_laned == 0
    assert 0 < costs.per_event < 0.01


def test_nine_of_ten_that_take_the_quick_path_cost_nothing() -> None:
    costs = Consumption(2.0, asks_events=True)
    for _ in range(1_000):
        costs.laned()
        costs.quick += 9
    assert costs.per_laned == 2.0
    assert costs.per_event == pytest.approx(0.2, rel=0.05)


async def test_it_is_made_anew_for_a_hundredth_of_the_time(
    reckoner: Reckoner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is asked for: with a room full of records it takes its time."""
    clock, made = reckoner.desk.clock, 0
    reckon = reckoner.drain.now

    def slow() -> Drain:
        nonlocal made
        made += 1
        clock.now += 0.2
        return reckon()

    monkeypatch.setattr(reckoner.drain, "now", slow)
    for _ in range(100):
        reckoner.drain.recent()
        clock.now += 1.0
    assert 100 / (0.2 * RARELY) - 1 <= made <= 100 / (0.2 * RARELY) + 1
