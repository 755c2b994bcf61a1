"""A partition that is lost, or may be, at any step of a record (promise 8)."""

from __future__ import annotations

import asyncio

import pytest

from streams.errors import OwnershipLost
from tests.support.boundaries import BOUNDARIES, scenarios
from tests.support.world import Worker


@pytest.mark.parametrize(("scenario", "number"), BOUNDARIES)
async def test_ownership_lost(scenario: str, number: int) -> None:
    """Nothing leaves after the revocation but what was leaving, and what has not been published is
    not finished."""
    world, value = scenarios()[scenario]
    worker = Worker(world)

    def revoke(at: int, _: str) -> None:
        if at == number:
            worker.assignment.revoke()

    world.at_step = revoke

    try:
        await worker.process(value)
    except OwnershipLost:
        assert not [step for step in world.journal if step.startswith("finished")]
    else:
        assert world.outcomes

    after = world.journal[number + 1 :]
    assert not [step for step in after if step.endswith("leaves")]


@pytest.mark.parametrize(("scenario", "number"), BOUNDARIES)
async def test_ownership_in_doubt(scenario: str, number: int) -> None:
    """While no heartbeat is answered nothing leaves; once one is, the record goes on."""
    world, value = scenarios()[scenario]
    alive = True

    def freeze(at: int, _: str) -> None:
        nonlocal alive
        alive = alive and at != number

    world.at_step = freeze
    worker = Worker(world, session_alive=lambda: alive)
    travelling = asyncio.create_task(worker.process(value))
    await asyncio.wait({travelling}, timeout=0.02)
    assert not [step for step in world.journal[number + 1 :] if step.endswith("leaves")]

    alive = True
    world.at_step = lambda _number, _step: None
    await asyncio.wait_for(travelling, 5)

    assert world.applied == (scenario in ("plain", *(s for s in scenarios() if "doubt" in s)))
    assert len(world.outcomes) == 1
    assert worker.frontier.unfinished == 0
