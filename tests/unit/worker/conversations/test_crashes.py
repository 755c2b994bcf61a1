"""A worker that dies at any step of a leg's road: one code, one id, one true decision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.conversations.policy import LookPolicy, WrapUpPolicy
from streams.core.conversations.record import decode_record
from streams.core.records import Source
from streams.wire.leg_ids import leg_outcome_id
from streams.wire.outcomes import outcome_id
from tests.support.conversation_desk import Cloud
from tests.support.conversation_world import (
    ConversationWorker,
    ConversationWorld,
    live,
    of_a_conversation,
)
from tests.support.disks import Disk, KeptChangelog
from tests.support.incarnation import samples
from tests.support.world import EVENTS, Crashed
from tests.support.wrap_up_model import CONVERSATION, OURS, Rules, Story, events, right, states
from tests.unit.worker.conversations.calls import STORIES, Log, steps_of, world_of


def crash_at(number: int) -> Callable[[int, str], None]:
    def crash(at: int, step: str) -> None:
        if at >= number:
            raise Crashed(step)

    return crash


def assert_is_right(world: ConversationWorld, story: Story, log: Log) -> None:
    """Each record and each leg has one final outcome, by its id, and each leg what is right."""
    model = right(story, Rules())
    own = world.finals(of_legs=False)
    sources = [Source(EVENTS.topic, EVENTS.partition, offset) for offset in range(len(log))]
    assert set(own) == {outcome_id(source) for source in sources}
    of_legs = world.finals(of_legs=True)
    assert set(of_legs) == {leg_outcome_id(CONVERSATION, leg) for leg in model}
    for same in [*own.values(), *of_legs.values()]:
        told = {(each.decision, each.reason, each.recovered, each.decided_at) for each in same}
        assert len(told) == 1, same
    for first, *_ in of_legs.values():
        assert first.leg is not None
        assert first.reason in model[first.leg.participant_id].reasons
        assert first.interaction_id == CONVERSATION
    applied = sorted(leg for _, leg, _ in world.cloud.applied)
    assert applied == sorted(leg for leg, each in model.items() if each.patched)
    assert not world.dead_letters


def assert_nothing_is_left(worker: ConversationWorker, log: Log) -> None:
    assert worker.frontier.committable == len(log)
    assert worker.retries.committable == len(worker.world.put_off)
    record = worker.processor._table.get(EVENTS.partition, CONVERSATION)
    assert record is not None
    assert not record.pending
    assert samples(worker.metrics)["genesys_streams_invariant_violations_total"] == 0


@pytest.mark.parametrize("name", STORIES)
def test_crash(name: str) -> None:
    """Everything comes again afterwards, from both topics, and the copies that it has made."""
    for step in steps_of(name):
        asyncio.run(crashed_at(name, step))


async def crashed_at(name: str, step: int) -> None:
    world, story, log = world_of(name)
    world.at_step = crash_at(step)
    with suppress(Crashed):
        await live(ConversationWorker(world), log, Random(1))
    world.at_step = lambda _number, _step: None
    world.clock.now += 1  # what is decided anew has another time

    worker = ConversationWorker(world, seed=8)
    await live(worker, log, Random(2))

    assert_is_right(world, story, log)
    assert_nothing_is_left(worker, log)


@pytest.mark.parametrize("disk", ["same", "empty"])
def test_crash_on_a_disk(disk: str, tmp_path: Path) -> None:
    """With real stores, which lag behind their changelog wherever the worker dies."""
    for step in steps_of("in doubt, applied"):
        asyncio.run(crashed_on_a_disk(step, disk, tmp_path / str(step)))


async def crashed_on_a_disk(step: int, disk: str, home: Path) -> None:
    world, story, log = world_of("in doubt, applied")
    changelog = KeptChangelog(world, of_a_conversation)
    first = Disk(home / "first", changelog, world, decode_record)
    world.at_step = crash_at(step)
    with suppress(Crashed):
        await live(ConversationWorker(world, table=first.table), log, Random(1))
    first.close()
    world.at_step = lambda _number, _step: None

    where = home / ("first" if disk == "same" else "next")
    next_one = Disk(where, changelog, world, decode_record)
    worker = ConversationWorker(world, table=next_one.table, seed=8)
    await live(worker, log, Random(2))

    assert_is_right(world, story, log)
    assert_nothing_is_left(worker, log)
    assert next_one.has(changelog)
    next_one.close()


@given(
    name=st.sampled_from(list(STORIES)),
    crashes=st.lists(st.integers(0, 50), max_size=5),
    get_faults=st.integers(0, 3),
    patch_faults=st.lists(st.sampled_from(["none", "busy", "lost", "gone"]), max_size=3),
    late=st.lists(st.integers(0, 400_000), min_size=1, max_size=4),
    acw_ms=st.sampled_from([0, 150_000]),
    seed=st.integers(0, 1000),
)
def test_any_crashes_and_faults(
    *,
    name: str,
    crashes: list[int],
    get_faults: int,
    patch_faults: list[str],
    late: list[int],
    acw_ms: int,
    seed: int,
) -> None:
    """In whatever order the events come, and whatever fails: what is right in the model."""
    story, _ = STORIES[name]
    random = Random(seed)
    delayed = [
        (at + late[number % len(late)], json.dumps(raw).encode())
        for number, (at, raw) in enumerate(events(story))
    ]
    log = sorted(delayed)
    cloud = Cloud(states(story), get_faults=get_faults, patch_faults=tuple(patch_faults))
    world = ConversationWorld(cloud=cloud)

    def life(number: int) -> ConversationWorker:
        looks = LookPolicy(acw_ms=acw_ms)
        return ConversationWorker(world, policy=WrapUpPolicy(OURS), looks=looks, seed=number)

    for number, crash in enumerate(crashes):
        world.at_step = crash_at(len(world.journal) + crash)
        with suppress(Crashed):
            asyncio.run(live(life(number), log, random))
        world.clock.now += 1
    world.at_step = lambda _number, _step: None
    worker = life(len(crashes))
    asyncio.run(live(worker, log, random))

    assert_is_right(world, story, log)
    assert_nothing_is_left(worker, log)
