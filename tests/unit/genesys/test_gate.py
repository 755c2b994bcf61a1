"""The gate that a 429 closes for the whole worker."""

from __future__ import annotations

import asyncio

import pytest

from streams.errors import RateLimited
from streams.genesys.gate import Gate
from tests.unit.genesys.scripted import Recorder, SteppedClock


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def gate(clock: SteppedClock, observer: Recorder) -> Gate:
    return Gate(clock, observer)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_is_open_when_new(gate: Gate, clock: SteppedClock, observer: Recorder) -> None:
    await gate.wait()
    assert gate.closed_until() is None
    assert clock.slept == []
    assert observer.waits == []


async def test_it_opens_when_the_quiet_is_over(
    gate: Gate, clock: SteppedClock, observer: Recorder
) -> None:
    gate.close(10)
    assert gate.closed_until() == clock.now + 10
    lane = asyncio.create_task(gate.wait())
    await settle()
    clock.advance(9)
    await settle()
    assert not lane.done()
    clock.advance(1)
    await lane
    assert gate.closed_until() is None
    assert observer.waits == [10]


async def test_a_longer_quiet_counts_for_those_who_wait_already(
    gate: Gate, clock: SteppedClock
) -> None:
    gate.close(5)
    lane = asyncio.create_task(gate.wait())
    await settle()
    gate.close(8)
    clock.advance(5)
    await settle()
    assert not lane.done()
    clock.advance(3)
    await lane


async def test_a_shorter_quiet_does_not_open_it_early(gate: Gate, clock: SteppedClock) -> None:
    gate.close(10)
    gate.close(1)
    assert gate.closed_until() == clock.now + 10


async def test_nobody_waits_longer_than_180_s(gate: Gate, clock: SteppedClock) -> None:
    gate.close(180)
    patient = asyncio.create_task(gate.wait())
    await settle()
    assert not patient.done()
    gate.close(181)
    with pytest.raises(RateLimited) as caught:
        await gate.wait()
    assert caught.value.retry_after == 181
    clock.advance(180)
    await settle()
    clock.advance(1)
    await patient


async def test_a_lane_that_is_cancelled_has_waited_all_the_same(
    gate: Gate, clock: SteppedClock, observer: Recorder
) -> None:
    gate.close(10)
    lane = asyncio.create_task(gate.wait())
    await settle()
    clock.advance(4)
    lane.cancel()
    await asyncio.wait([lane])
    assert observer.waits == [4]
