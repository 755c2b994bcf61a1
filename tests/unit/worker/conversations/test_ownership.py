"""A partition that is lost, or may be, at any step of a leg's road (promise 8)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

import pytest

from streams.errors import OwnershipLost
from tests.support.conversation_world import ConversationWorker, ConversationWorld, live
from tests.unit.worker.conversations.calls import STORIES, steps_of, world_of

# What could still leave does so within some ten turns of the loop: doubles answer at once.
TURNS = 200


def leaving_after(world: ConversationWorld, number: int) -> list[str]:
    """What left behind this step, but for outcomes that leave together with it."""
    after = world.journal[number + 1 :]
    while after and after[0] == world.journal[number]:
        after = after[1:]
    return [step for step in after if step.endswith("leaves")]


@pytest.mark.parametrize("name", STORIES)
def test_nothing_leaves_after_the_revocation_but_what_was_leaving(name: str) -> None:
    for number in steps_of(name):
        asyncio.run(revoked_at(name, number))


async def revoked_at(name: str, number: int) -> None:
    world, _, log = world_of(name)
    worker = ConversationWorker(world)

    def revoke(at: int, _: str) -> None:
        if at == number:
            worker.assignment.revoke()

    world.at_step = revoke
    with suppress(OwnershipLost):
        await live(worker, log, Random(1))

    step = f"step {number}, {world.journal[number]}"
    assert not leaving_after(world, number), step
    finished = [each for each in world.journal[number + 1 :] if each.startswith("finished")]
    assert len(finished) <= 1, f"{step}: the record in hand may end, and no other"


@pytest.mark.parametrize("name", STORIES)
def test_while_no_heartbeat_is_answered_nothing_leaves(name: str) -> None:
    for number in steps_of(name):
        asyncio.run(frozen_at(name, number))


async def frozen_at(name: str, number: int) -> None:
    world, _, log = world_of(name)
    alive = True
    frozen = asyncio.Event()

    def freeze(at: int, _: str) -> None:
        nonlocal alive
        if at == number:
            alive = False
            frozen.set()

    world.at_step = freeze
    worker = ConversationWorker(world, session_alive=lambda: alive)
    travelling = asyncio.create_task(live(worker, log, Random(1)))
    await asyncio.wait_for(frozen.wait(), 10)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    step = f"step {number}, {world.journal[number]}"
    assert not leaving_after(world, number), step

    alive = True
    world.at_step = lambda _number, _step: None
    await asyncio.wait_for(travelling, 10)

    assert worker.frontier.committable == len(log), step
    assert worker.retries.committable == len(world.put_off), step
    assert len(world.cloud.applied) == (1 if world.cloud.patches else 0), step
