"""A PATCH that may have been applied: in doubt, look (promise 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.core.records import Decision, Intent, InteractionRecord, Reason
from streams.errors import Conflict, RateLimited
from tests.support.world import (
    CODE,
    ELIGIBLE,
    Patched,
    Worker,
    World,
    arrives_late,
    event,
    failed_at_once,
    failed_once_applied,
    lost_on_the_way,
    lost_once_applied,
    raising,
)


@pytest.mark.parametrize("fate", [lost_once_applied, failed_once_applied])
async def test_applied_without_an_answer_is_found_by_looking(fate: Patched) -> None:
    world = World()
    world.patches.append(fate)

    await Worker(world).process(event())

    assert world.applied == 1
    assert [step for step in world.journal if step.endswith("leaves")] == [
        "GET leaves",
        "intent leaves",
        "PATCH leaves",
        "GET leaves",
        "verdict leaves",
        "outcome leaves",
    ]
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)
    assert (outcome.patch_status, outcome.api_calls) == (None, 3)


@pytest.mark.parametrize("fate", [lost_on_the_way, failed_at_once])
async def test_not_applied_is_found_by_looking_and_done(fate: Patched) -> None:
    world = World()
    world.patches.extend([fate, fate])

    await Worker(world).process(event())

    assert world.applied == 1
    assert world.count("PATCH leaves") == 3
    assert world.count("intent leaves") == 1
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, False)


async def test_every_patch_follows_a_look_of_its_own() -> None:
    world = World()
    world.patches.extend([lost_on_the_way] * 2)

    await Worker(world).process(event())

    calls = [step for step in world.journal if step in ("GET leaves", "PATCH leaves")]
    assert calls == ["GET leaves", "PATCH leaves"] * 3


async def test_a_patch_put_off_is_preceded_by_a_new_look() -> None:
    """Meanwhile the interaction may have changed, and its ETag with it."""
    world = World()
    world.patches.append(raising(RateLimited("slow down", retry_after=0.0)))
    worker = Worker(world)
    await worker.process(event())
    (put_off,) = world.put_off

    await worker.resume(put_off)

    calls = [step for step in world.journal if step in ("GET leaves", "PATCH leaves")]
    assert calls == ["GET leaves", "PATCH leaves"] * 2
    assert [outcome.recovered for outcome in world.outcomes] == [False, False]


async def test_a_patch_that_always_fails_is_put_off_in_doubt() -> None:
    """Each failure may have been applied: it is looked at, and tried so often and no oftener."""
    world = World()
    world.patches.extend([failed_at_once] * 2 + [lost_once_applied])
    worker = Worker(world)

    await worker.process(event())

    assert world.count("PATCH leaves") == 3
    assert world.outcomes[0].reason is Reason.TIMEOUT
    assert world.record.intent == Intent(0, CODE)
    await worker.resume(world.put_off[0])
    assert world.applied == 1
    assert (world.outcomes[1].decision, world.outcomes[1].recovered) == (Decision.PATCHED, True)


async def test_conflict_with_our_own_late_patch_is_no_conflict() -> None:
    world = World()
    world.patches.append(arrives_late)

    await Worker(world).process(event())

    assert world.applied == 1
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)


async def test_conflict_with_somebody_else() -> None:
    world = World()
    world.patches.append(raising(Conflict("changed", status=409, code="conflict")))

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.decision is Decision.CONFLICT
    assert outcome.reason is Reason.CONCURRENT_MODIFICATION
    assert outcome.patch_status == 409
    assert world.applied == 0
    assert world.dead_letters == []
    assert world.count("PATCH leaves") == 1


async def test_conflict_after_doubt_that_somebody_else_caused() -> None:
    world = World()

    def somebody(world: World, code: str, etag: str | None) -> None:
        world.change("other")
        world.take(code, etag)

    world.patches.extend([lost_on_the_way, somebody])

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.decision is Decision.INELIGIBLE
    assert outcome.reason is Reason.DISPOSITION_SET
    assert world.interaction.disposition_code_id == "other"


async def test_conflicts_that_go_on_after_a_doubt_end() -> None:
    """One look per doubt: an API that says 409 whatever is sent is not asked for ever."""
    world = World()
    world.patches.append(lost_on_the_way)
    world.patches.extend([raising(Conflict("locked", status=409))] * 50)

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert outcome.decision is Decision.CONFLICT
    assert world.count("PATCH leaves") <= 3


async def test_doubt_left_by_a_crash_is_looked_at_first() -> None:
    world = World(interaction=replace(ELIGIBLE, disposition_code_id=CODE))
    world.records["i-1"] = InteractionRecord("i-1", intent=Intent(4, CODE), updated_at=1)

    await Worker(world).process(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.PATCHED, True)
    assert world.count("PATCH leaves") == 0


async def test_a_code_that_was_there_before_is_not_ours() -> None:
    world = World(interaction=replace(ELIGIBLE, disposition_code_id=CODE))

    await Worker(world).process(event(), offset=4)

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.recovered) == (Decision.INELIGIBLE, False)
    assert outcome.reason is Reason.DISPOSITION_SET


async def test_a_changed_code_gets_an_intent_of_its_own() -> None:
    world = World()
    world.records["i-1"] = InteractionRecord("i-1", intent=Intent(4, "old-code"), updated_at=1)

    await Worker(world).process(event(), offset=4)

    assert world.count("intent leaves") == 1
    assert world.interaction.disposition_code_id == CODE
