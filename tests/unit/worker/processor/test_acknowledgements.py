"""What is acknowledged before what: finish last (promise 3), intent first (promise 4)."""

from __future__ import annotations

from streams.core.decision import Policy
from streams.core.records import Decision, Intent, Reason
from tests.support.world import CODE, Worker, World, event

WHOLE_ROAD = [
    "GET leaves",
    "GET acknowledged",
    "intent leaves",
    "intent acknowledged",
    "PATCH leaves",
    "PATCH acknowledged",
    "verdict leaves",
    "verdict acknowledged",
    "outcome leaves",
    "outcome acknowledged",
    "finished 0",
]


async def test_each_step_waits_for_the_one_before() -> None:
    world = World()

    await Worker(world).process(event())

    assert world.journal == WHOLE_ROAD


async def test_an_eligible_interaction_is_patched_and_published() -> None:
    world = World()

    await Worker(world).process(event())

    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.PATCHED, Reason.ELIGIBLE)
    assert (outcome.patch_status, outcome.api_calls, outcome.attempts) == (200, 2, 1)
    assert (outcome.recovered, outcome.disposition_code_id) == (False, CODE)
    assert world.interaction.disposition_code_id == CODE


async def test_intent_names_the_record_and_the_code() -> None:
    world = World()
    intents: list[Intent | None] = []

    def look(_: int, step: str) -> None:
        if step == "PATCH leaves":
            intents.append(world.record.intent)

    world.at_step = look

    await Worker(world).process(event(), offset=17)

    assert intents == [Intent(17, CODE)]
    assert world.record.intent is None
    assert world.record.last_offset == 17


async def test_nothing_is_asked_that_the_event_can_answer() -> None:
    world = World()

    await Worker(world).process(event(interactionType="voice", state="connected"))

    assert world.journal == [
        "verdict leaves",
        "verdict acknowledged",
        "outcome leaves",
        "outcome acknowledged",
        "finished 0",
    ]
    assert world.outcomes[0].reason is Reason.NOT_COMPLETED


async def test_dry_run_writes_no_intent_and_no_patch() -> None:
    world = World()

    await Worker(world, policy=Policy(code=None, dry_run=True)).process(event())

    assert not [step for step in world.journal if step.startswith(("PATCH", "intent"))]
    assert world.outcomes[0].decision is Decision.WOULD_PATCH
    assert world.outcomes[0].dry_run
