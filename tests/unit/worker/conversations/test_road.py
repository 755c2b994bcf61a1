"""The road of an ordinary call: what is acknowledged before what, and what is published."""

from __future__ import annotations

from random import Random

import pytest

from streams.core.conversations.record import Sent as CodeSent
from streams.core.records import Decision, Leg, Reason
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import Outcome
from tests.support.conversation_desk import Cloud
from tests.support.conversation_world import KEY, ConversationWorker, ConversationWorld, live
from tests.support.incarnation import samples
from tests.support.world import TOPICS
from tests.support.wrap_up_model import CONVERSATION, OURS, START, states
from tests.unit.worker.conversations.calls import CODED, log_of, world_of

PLANS = ["record leaves", "record acknowledged", "put off leaves", "put off acknowledged"]
JOINS = ["record leaves", "record acknowledged", "outcome leaves", "outcome acknowledged"]


async def timed_out() -> ConversationWorld:
    world, _, log = world_of("timed out")
    await live(ConversationWorker(world), log, Random(1))
    return world


def on_legs(world: ConversationWorld) -> list[Outcome]:
    return [each for each in world.outcomes if each.leg is not None]


async def test_an_event_that_plans_a_look_is_finished_once_its_copy_is_in_retries() -> None:
    world, _, log = world_of("timed out")

    world.be_at(log[0][0])
    await ConversationWorker(world).process(log[0][1])

    assert world.journal == [*PLANS, "finished 0"]
    (copy,) = world.put_off
    assert (copy.key, copy.value) == (KEY, log[0][1])
    assert copy.named["retry.reason"] == "look-planned"
    assert copy.named["retry.attempt"] == "1"
    assert world.record.look is not None
    assert int(copy.named["retry.not-before"]) == world.record.look.at == START + 102_000


async def test_one_that_joins_it_has_its_outcome_at_once() -> None:
    world, _, log = world_of("timed out")
    worker = ConversationWorker(world)
    await worker.process(log[0][1])

    await worker.process(log[1][1], 1)

    assert world.journal[5:] == [*JOINS, "finished 1"]
    (outcome,) = world.outcomes
    assert (outcome.decision, outcome.reason) == (Decision.NOTED, Reason.LOOK_JOINED)
    assert (outcome.interaction_id, outcome.sequence_id) == (CONVERSATION, None)
    assert (outcome.leg, outcome.api_calls, outcome.source.offset) == (None, 0, 1)


async def test_each_step_of_a_look_waits_for_the_one_before() -> None:
    world = await timed_out()

    look = world.journal.index("GET leaves")
    assert world.journal[look:][:14] == [
        "GET leaves",
        "GET acknowledged",
        "intent leaves",
        "intent acknowledged",
        "PATCH leaves",
        "PATCH acknowledged",
        "record leaves",
        "record acknowledged",
        "put off leaves",
        "put off acknowledged",
        "finished 2",
        "GET leaves",
        "GET acknowledged",
        "record leaves",
    ]
    assert (world.count("GET leaves"), world.count("PATCH leaves")) == (2, 1)


async def test_the_intent_is_in_the_table_before_the_code_leaves() -> None:
    world, _, log = world_of("timed out")
    intents: list[CodeSent | None] = []

    def look(_: int, step: str) -> None:
        if step == "PATCH leaves":
            intents.extend(each.sent for each in world.record.open)

    world.at_step = look
    await live(ConversationWorker(world), log, Random(1))

    (intent,) = intents
    assert intent is not None
    assert (intent.code, intent.times, intent.accepted_at) == (OURS, 1, None)


async def test_the_outcome_on_a_leg_has_all_that_is_known_of_it() -> None:
    world = await timed_out()

    (outcome,) = on_legs(world)
    assert outcome.leg == Leg("agent-0", "user-1", None, "session-of-agent-0", "voice")
    assert outcome.outcome_id == leg_outcome_id(CONVERSATION, "agent-0")
    assert (outcome.decision, outcome.reason) == (Decision.PATCHED, Reason.ELIGIBLE)
    assert (outcome.patch_status, outcome.recovered) == (202, False)
    assert outcome.disposition_code_id == OURS
    assert (outcome.duration_ms, outcome.sequence_id) == (100_000, None)
    assert outcome.source.offset == 2, "the acw event, whose look has decided"
    of_outcomes = [each for each in world.sent if each.topic == TOPICS.outcomes]
    (sent,) = [each for each in of_outcomes if b'"leg":{' in (each.value or b"")]
    assert sent.key == KEY
    assert sent.named["ce_subject"] == CONVERSATION


async def test_the_outcome_on_a_leg_has_the_request_that_sent_its_code_in_an_earlier_look() -> None:
    world = await timed_out()

    (outcome,) = on_legs(world)
    assert [each.method for each in outcome.calls] == ["PATCH", "GET"]
    assert outcome.api_calls == len(outcome.calls)
    (first,) = [each for each in world.outcomes if each.reason is Reason.LOOK_PLANNED]
    assert [each.method for each in first.calls] == ["GET", "PATCH"]
    assert first.calls[1] == outcome.calls[0]


async def test_a_code_that_an_event_names_costs_no_call() -> None:
    world = ConversationWorld(cloud=Cloud(states(CODED)))

    await live(ConversationWorker(world), log_of(CODED), Random(1))

    assert not [step for step in world.journal if step.startswith(("GET", "PATCH"))]
    (outcome,) = on_legs(world)
    assert (outcome.reason, outcome.basis) == (Reason.WRAP_UP_SET, "event")
    assert outcome.leg == Leg("agent-0", "user-1", None, "session-of-agent-0", "voice")


async def test_an_older_copy_ends_without_a_word() -> None:
    """The look was moved forward, and made: the copies of before find nothing to do."""
    world, _, log = world_of("timed out")
    await live(ConversationWorker(world), log, Random(1))
    told, steps = len(world.outcomes), len(world.journal)
    moved = next(each for each in world.put_off if each.named["retry.source.offset"] == "2")
    worker = ConversationWorker(world, seed=8)

    await worker.resume(worker.returned(moved, len(world.put_off)))

    assert len(world.outcomes) == told
    assert world.journal[steps:] == [f"finished {len(world.put_off)}"]


@pytest.mark.parametrize("story", ["timed out", "in doubt, applied"])
async def test_no_look_is_lost_where_the_clock_is_set_back_before_it_is_made(story: str) -> None:
    """After it was let out of the waiting room: its lane may be busy, or ownership open."""
    copies = await looked_at(story, set_back_before=None)
    assert copies >= 3
    for look in range(copies):
        await looked_at(story, set_back_before=look)


async def looked_at(story: str, *, set_back_before: int | None) -> int:
    """Make each look of this call, the clock being a second behind at one of them. Returns how many
    copies came back."""
    world, _, log = world_of(story)
    worker = ConversationWorker(world)
    for offset, (at, value) in enumerate(log):
        world.be_at(at)
        await worker.process(value, offset)
    seen = 0
    while seen < len(world.put_off):
        copy = worker.returned(world.put_off[seen], seen)
        world.be_at(copy.due_ms)
        if seen == set_back_before:
            world.clock.now -= 1
        await worker.processor.process(copy)
        seen += 1
    assert len(world.cloud.applied) == 1
    assert [len(each) for each in world.finals(of_legs=True).values()] == [1]
    record = world.record
    assert (record.look, record.open, record.waiting) == (None, (), ()), set_back_before
    return seen


async def test_every_leg_and_every_record_is_counted() -> None:
    world, _, log = world_of("timed out")
    worker = ConversationWorker(world)
    await live(worker, log, Random(1))

    counted = samples(worker.metrics)
    assert counted["genesys_streams_records_total"] == len(log)
    assert counted["genesys_streams_legs_total"] == 1
    assert counted["genesys_streams_deferred_records_total"] == len(world.put_off)
