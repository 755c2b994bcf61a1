"""When the table's partitions are swept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from faust.types import TP

from streams.errors import OwnershipLost, StoreError
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.starting_point import Start
from streams.worker.state.sweeper import (
    LONGEST_INTERVAL_SECONDS,
    SHORTEST_INTERVAL_SECONDS,
    SWEEPS_IN_A_TTL,
    sweep_for_ever,
)
from tests.support.event_loop import until_idle
from tests.support.scripted import SteppedClock

TTL_SECONDS = 1000.0
INTERVAL_SECONDS = 100.0


class Table:
    """Remembers which partitions were swept, and when. ``forgets``: how many in each."""

    def __init__(self, clock: SteppedClock) -> None:
        self._clock = clock
        self.swept: list[tuple[float, int, int]] = []
        self.forgets = 0
        self.failure: Exception | None = None

    async def sweep(self, assignment: Assignment, partition: int) -> int:
        at = self._clock.now
        self.swept.append((at - 1000, assignment.generation, partition))
        if self.failure is not None:
            raise self.failure
        return self.forgets


class Sweeping:
    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.table = Table(self.clock)
        self.assignments = Assignments(
            events="events", session_alive=lambda: True, fence=lambda: None
        )

    def assign(self, generation: int, *partitions: int) -> None:
        self.assignments.begin(
            generation, {TP("events", each): Start(0, "") for each in partitions}
        )

    @asynccontextmanager
    async def running(self, ttl_seconds: float = TTL_SECONDS) -> AsyncIterator[asyncio.Task[None]]:
        sweeper = asyncio.create_task(
            sweep_for_ever(self.assignments, cast(Any, self.table), self.clock, ttl_seconds)
        )
        await until_idle()
        yield sweeper
        sweeper.cancel()
        await asyncio.wait([sweeper])

    async def after(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.clock.advance(1)
            await until_idle()

    @property
    def times(self) -> list[float]:
        return [at for at, _, _ in self.table.swept]


@pytest.fixture
def sweeping() -> Sweeping:
    return Sweeping()


async def test_nothing_is_swept_before_partitions_are_ours(sweeping: Sweeping) -> None:
    async with sweeping.running():
        await sweeping.after(3 * INTERVAL_SECONDS)

    assert sweeping.table.swept == []


async def test_all_partitions_at_once_and_then_by_the_interval(sweeping: Sweeping) -> None:
    """The first sweep counts the interactions too."""
    sweeping.assign(1, 3, 0)
    async with sweeping.running():
        await sweeping.after(2 * INTERVAL_SECONDS)

    assert sweeping.table.swept == [
        (at, 1, partition) for at in (0, 100, 200) for partition in (0, 3)
    ]


@pytest.mark.parametrize(
    ("ttl_seconds", "interval"),
    [
        (SHORTEST_INTERVAL_SECONDS, SHORTEST_INTERVAL_SECONDS),
        (500, 500 / SWEEPS_IN_A_TTL),
        (90_000, LONGEST_INTERVAL_SECONDS),
    ],
)
async def test_the_interval_follows_the_ttl_within_bounds(
    sweeping: Sweeping, ttl_seconds: float, interval: float
) -> None:
    sweeping.assign(1, 0)
    async with sweeping.running(ttl_seconds):
        await sweeping.after(2 * interval)

    assert sweeping.times == [0, interval, 2 * interval]


async def test_new_partitions_do_not_wait_for_the_interval(sweeping: Sweeping) -> None:
    sweeping.assign(1, 0)
    async with sweeping.running():
        await sweeping.after(10)
        sweeping.assign(2, 1)
        await sweeping.after(INTERVAL_SECONDS)

    assert sweeping.table.swept == [(0, 1, 0), (11, 2, 1)]


async def test_a_sweep_that_loses_its_partitions_is_left_and_the_next_is_made(
    sweeping: Sweeping,
) -> None:
    sweeping.assign(1, 0, 1)
    sweeping.table.failure = OwnershipLost("revoked")
    async with sweeping.running():
        assert sweeping.table.swept == [(0, 1, 0)], "the others are lost with it"
        sweeping.table.failure = None
        sweeping.assign(2, 2)
        await sweeping.after(1)

    assert sweeping.table.swept[1:] == [(1, 2, 2)]


async def test_a_store_that_fails_ends_the_sweeper(sweeping: Sweeping) -> None:
    """And with it the worker: on such a disk nothing is decided."""
    sweeping.assign(1, 0)
    sweeping.table.failure = StoreError("DATA_DIR: no space left")

    async with sweeping.running() as sweeper:
        assert sweeper.done()

        with pytest.raises(StoreError, match="no space left"):
            await sweeper


@pytest.mark.parametrize(("forgets", "lines"), [(0, []), (7, [(0, 7), (1, 7)])])
async def test_what_was_forgotten_is_logged_for_each_partition(
    sweeping: Sweeping, caplog: pytest.LogCaptureFixture, forgets: int, lines: list[Any]
) -> None:
    caplog.set_level("INFO")
    sweeping.table.forgets = forgets
    sweeping.assign(1, 0, 1)

    async with sweeping.running():
        pass

    found: Callable[[Any], Any] = vars
    logged = [found(each) for each in caplog.records if each.name.endswith("sweeper")]
    assert [(each["partition"], each["count"]) for each in logged] == lines
