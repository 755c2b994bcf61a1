"""How long a record waits before it is tried again, and that it rests meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streams.core.interaction import Interaction
from streams.core.records import Decision, Reason
from streams.errors import ApiError, RateLimited, ServerError
from streams.genesys.api import CallContext
from tests.support.world import StandInApi, Worker, World, event, lost_once_applied, raising


@pytest.mark.parametrize(("asked", "waits"), [(25.0, True), (3600.0, False)])
async def test_the_look_after_a_patch_that_failed_waits_as_long_as_the_api_asks_or_is_put_off(
    asked: float, waits: bool
) -> None:
    world = World()
    failed = ServerError("503", status=503, maybe_applied=True, retry_after=asked)
    world.patches.append(raising(failed))
    began = world.clock.now

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.decision is (Decision.PATCHED if waits else Decision.DEFERRED)
    assert (world.clock.now - began >= asked) is waits
    assert (world.record.intent is None) is waits


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RateLimited("daily limit", retry_after=7200.0), Reason.RATE_LIMITED),
        (ServerError("maintenance", status=503, retry_after=7200.0), Reason.SERVER_ERROR),
    ],
)
async def test_a_longer_quiet_than_the_deferral_is_kept(error: ApiError, reason: Reason) -> None:
    world = World()
    world.fetches.append(raising(error))

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.reason is reason
    not_before = int(world.put_off[0].named["retry.not-before"]) / 1000
    assert not_before == pytest.approx(world.clock.time() + 7200, abs=0.01)


class TriesAgain(StandInApi):
    """Its GET fails once, and is tried again after a wait."""

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        async with context.resting():
            await asyncio.sleep(0)
        return await super().fetch(interaction_id, context)


async def test_who_waits_to_try_again_rests() -> None:
    """Between the tries of a call, and before a PATCH that may have been applied is looked at."""
    world = World()
    rests: list[str] = []

    @asynccontextmanager
    async def resting() -> AsyncIterator[None]:
        rests.append("GET" if not world.count("PATCH leaves") else "look")
        yield

    world.patches.append(lost_once_applied)
    worker = Worker(world, api=TriesAgain(world))
    await worker.processor.process(worker.take_up(event()), resting)

    assert rests == ["GET", "look", "look"]
    assert world.applied == 1
