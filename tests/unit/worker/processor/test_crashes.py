"""A worker that dies at any step: one effect, one id, one true decision (promises 3 to 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.records import Decision, Source
from streams.wire.outcomes import outcome_id
from tests.support.boundaries import BOUNDARIES, scenarios
from tests.support.incarnation import Worker, samples
from tests.support.world import (
    CODE,
    EVENTS,
    Crashed,
    Patched,
    World,
    arrives_late,
    event,
    failed_at_once,
    failed_once_applied,
    lost_on_the_way,
    lost_once_applied,
    unreachable,
)


def crash_at(number: int) -> Callable[[int, str], None]:
    def crash(at: int, step: str) -> None:
        if at >= number:
            raise Crashed(step)

    return crash


async def live(world: World, value: bytes) -> Worker:
    """One life of a worker, from what was committed at first: nothing. Everything comes again."""
    worker = Worker(world)
    await worker.process(value, offset=6)
    resumed = 0
    while resumed < len(world.put_off):
        sent = world.put_off[resumed]
        world.clock.now += 1e5  # its time has come
        await worker.resume(sent, resumed)
        resumed += 1
    return worker


async def survive(world: World, value: bytes, crashes: list[int]) -> None:
    """A life for each crash, and one more to its end."""
    for number in crashes:
        world.at_step = crash_at(len(world.journal) + number)
        try:
            await live(world, value)
        except Crashed:
            continue
        break
    world.at_step = lambda _number, _step: None
    worker = await live(world, value)
    assert worker.frontier.committable == 7
    assert worker.retries.committable == len(world.put_off)
    assert not world.records or not world.record.waits
    assert samples(worker.metrics)["genesys_streams_invariant_violations_total"] == 0


def assert_one_answer(world: World, decision: Decision) -> None:
    final = [outcome for outcome in world.outcomes if outcome.final]
    assert {outcome.outcome_id for outcome in final} == {
        outcome_id(Source(EVENTS.topic, EVENTS.partition, 6))
    }
    assert {(outcome.decision, outcome.recovered) for outcome in final} == {
        (decision, final[0].recovered)
    }
    put_off = {
        outcome_id(Source(EVENTS.topic, EVENTS.partition, 6), int(sent.named["retry.attempt"]))
        for sent in world.put_off
    }
    assert {outcome.outcome_id for outcome in world.outcomes if not outcome.final} == put_off


DECISIONS = {
    "forbidden": Decision.FAILED,
    "malformed": Decision.FAILED,
    "not completed": Decision.INELIGIBLE,
}


@pytest.mark.parametrize(("scenario", "number"), BOUNDARIES)
async def test_crash(scenario: str, number: int) -> None:
    """At any step: one effect, one id, one true decision."""
    world, value = scenarios()[scenario]
    if scenario == "forbidden":
        world.fetches.extend(world.fetches)  # still forbidden when it is asked again

    await survive(world, value, [number])

    decision = DECISIONS.get(scenario, Decision.PATCHED)
    assert world.applied == (decision is Decision.PATCHED)
    assert_one_answer(world, decision)
    assert bool(world.dead_letters) == (decision is Decision.FAILED)


FATES = [
    lost_once_applied,
    lost_on_the_way,
    failed_once_applied,
    failed_at_once,
    arrives_late,
    unreachable,
    lambda world, code, etag: world.take(code, etag),
]


@given(
    fates=st.lists(st.sampled_from(FATES), max_size=6),
    crashes=st.lists(st.integers(0, 14), max_size=5),
    fetches=st.lists(st.sampled_from([unreachable, lambda world: None]), max_size=6),
)
@example(fates=[arrives_late], crashes=[4], fetches=[])
def test_any_crashes_and_faults(
    fates: list[Patched], crashes: list[int], fetches: list[Callable[[World], None]]
) -> None:
    """Nobody else touches the interaction: it is patched once, and that is what is published."""
    world = World()
    world.patches.extend(fates)
    world.fetches.extend(fetches)

    asyncio.run(survive(world, event(), crashes))
    world.arrive_late()

    assert world.applied == 1
    assert world.interaction.disposition_code_id == CODE
    assert_one_answer(world, Decision.PATCHED)


@given(
    states=st.lists(st.sampled_from(["completed", "connected"]), min_size=1, max_size=4),
    fetches=st.lists(st.sampled_from([unreachable, lambda world: None]), max_size=8),
    fates=st.lists(st.sampled_from(FATES), max_size=4),
    crashes=st.lists(st.integers(0, 20), max_size=4),
    seed=st.integers(0, 1000),
)
def test_any_events_that_are_put_off_in_any_order(
    *,
    states: list[str],
    fetches: list[Callable[[World], None]],
    fates: list[Patched],
    crashes: list[int],
    seed: int,
) -> None:
    """One final answer for each, one PATCH if one was over, and one that says it patched."""
    world, random = World(), Random(seed)
    world.fetches.extend(fetches)
    world.patches.extend(fates)
    events = [
        event(number, interactionType="voice", state=state) for number, state in enumerate(states)
    ]

    async def one_life() -> None:
        worker = Worker(world)
        resumed = number = 0
        while number < len(events) or resumed < len(world.put_off):
            world.clock.now += 1
            back = resumed < len(world.put_off)
            if number < len(events) and (not back or random.random() < 0.5):
                await worker.process(events[number], offset=number)
                number += 1
            else:
                await worker.resume(world.put_off[resumed], resumed)
                resumed += 1

    for number in crashes:
        world.at_step = crash_at(len(world.journal) + number)
        with suppress(Crashed):
            asyncio.run(one_life())
    world.at_step = lambda _number, _step: None
    asyncio.run(one_life())
    world.arrive_late()

    finals: dict[int, set[tuple[str, Decision]]] = {}
    for outcome in world.outcomes:
        if outcome.final:
            finals.setdefault(outcome.source.offset, set()).add(
                (outcome.outcome_id, outcome.decision)
            )
    assert sorted(finals) == list(range(len(events)))
    assert all(len(answers) == 1 for answers in finals.values())
    over = "completed" in states
    assert world.applied == over
    patched = sum(
        decision is Decision.PATCHED for answer in finals.values() for _, decision in answer
    )
    assert patched == over
