"""The seam between Faust and Kafka: where an assignment begins."""

from __future__ import annotations

import asyncio

import pytest
from faust.types import TP

from streams.errors import SettingsError
from streams.worker.partitions.starting_point import Notice, Start
from tests.support.consumer_rig import CHANGELOG, A, B, Rig
from tests.support.event_loop import until_idle


async def group_assigns(rig: Rig, tps: set[TP], generation: int) -> None:
    """The group has assigned these partitions. Faust's recovery of them is left out."""
    assigning = asyncio.create_task(rig.consumer.on_partitions_assigned(tps, generation))
    await asyncio.sleep(0)
    assigning.cancel()


async def test_assignment_begins_at_the_committed_offsets(rig: Rig) -> None:
    rig.assign(3, A, B, CHANGELOG)
    rig.kafka.committed = {A: 5, B: 900, CHANGELOG: 77}

    await rig.consumer.perform_seek()

    assert rig.observer.begun == [(3, {A: 5, B: 900})]
    assignment = rig.assignments.current
    assert assignment is not None
    assert assignment.generation == 3


@pytest.mark.parametrize("committed", [None, 0])
async def test_fresh_partition_is_put_at_its_beginning(rig: Rig, committed: int | None) -> None:
    """Faust's seek leaves it wherever a fetch had got to."""
    rig.assign(3, A, B, CHANGELOG)
    rig.kafka.committed = {A: committed, B: 900}
    rig.kafka.beginnings = {A: 12}

    await rig.consumer.perform_seek()

    assert rig.observer.begun == [(3, {A: 12, B: 900})]
    assert {step for step in rig.kafka.log if "/" in step} == {
        "seek events/0 to 12",
        "seek events/1 to 900",
    }


async def test_what_the_judgement_says_is_where_it_starts(rig: Rig) -> None:
    """And it is committed at once with its life: a crash must not begin yet another one."""
    rig.kafka.committed = {A: 50}
    rig.observer.starts = {A: Start(2, "life@7", Notice.CUT)}
    rig.kafka.batches = [{A: [2, 3]}]

    await rig.consumer.perform_seek()

    assert rig.observer.begun == [(1, {A: 2})]
    assert rig.kafka.signed == [{A: (2, "life@7")}]
    assert await rig.fetched() == [(A, 2), (A, 3)]


async def test_nothing_is_committed_where_nothing_was_noticed(rig: Rig) -> None:
    rig.kafka.committed = {A: 5}
    rig.observer.starts = {A: Start(5, "life")}

    await rig.consumer.perform_seek()

    assert rig.kafka.signed == []
    assert rig.kafka.lives == {A: "life"}


async def test_a_second_seek_in_a_generation_judges_nothing_anew(rig: Rig) -> None:
    """It goes back to what this assignment has committed, whatever the broker says meanwhile."""
    rig.kafka.committed = {A: 50}
    rig.observer.starts = {A: Start(2, "life@7", Notice.CUT)}
    await rig.consumer.perform_seek()
    rig.observer.starts = {A: Start(900, "another")}
    rig.kafka.batches = [{A: [2]}]

    await rig.consumer.perform_seek()

    assert rig.kafka.lives == {A: "life@7"}
    assert await rig.fetched() == [(A, 2)]


async def test_a_group_that_is_not_ours_alone_opens_nothing(rig: Rig) -> None:
    rig.observer.refusal = SettingsError("APP_ID: not ours")
    rig.kafka.batches = [{A: [0]}]

    await rig.consumer.perform_seek()

    assert rig.observer.failures == [rig.observer.refusal]
    assert rig.observer.begun == []
    assert await rig.fetched() == []


async def test_a_second_seek_in_a_generation_keeps_the_assignment(rig: Rig) -> None:
    rig.kafka.committed = {A: 5}
    await rig.consumer.perform_seek()
    assignment = rig.assignments.current

    await rig.consumer.perform_seek()

    assert rig.assignments.current is assignment
    assert len(rig.observer.begun) == 1


async def test_a_new_generation_ends_the_assignment_before(rig: Rig) -> None:
    await rig.consumer.perform_seek()
    before = rig.assignments.current
    assert before is not None
    rig.assign(2)

    await rig.consumer.perform_seek()

    assert before.revoked
    assert rig.assignments.current is not before
    assert [generation for generation, _ in rig.observer.begun] == [1, 2]


async def test_a_committed_offset_of_an_earlier_assignment_is_not_believed(rig: Rig) -> None:
    """Another worker went on from there, and the group's offsets were deleted since."""
    rig.kafka.committed = {A: 500}
    await rig.consumer.perform_seek()
    await rig.consumer.on_partitions_revoked({A, CHANGELOG})
    rig.kafka.committed = {A: None}
    rig.kafka.beginnings = {A: 3}
    rig.assign(2)
    await group_assigns(rig, {A, CHANGELOG}, 2)

    await rig.consumer.perform_seek()

    assert rig.observer.begun[-1] == (2, {A: 3})


async def test_a_seek_overtaken_by_a_revocation_begins_no_assignment(rig: Rig) -> None:
    rig.kafka.seek_gate.clear()
    seeking = asyncio.create_task(rig.consumer.perform_seek())
    await until_idle()
    revoking = asyncio.create_task(rig.consumer.on_partitions_revoked({A, CHANGELOG}))
    await until_idle()

    rig.kafka.seek_gate.set()
    await asyncio.wait_for(asyncio.gather(seeking, revoking), 5)

    assert rig.assignments.current is None or rig.assignments.current.revoked


@pytest.mark.parametrize("generation", [1, 2])
async def test_a_seek_while_the_group_joins_begins_no_assignment(rig: Rig, generation: int) -> None:
    """Of a recovery that the revocation has not interrupted. The consumer's thread may know the
    next generation by then, whose partitions are not restored yet."""
    rig.kafka.committed = {A: 5}
    await rig.consumer.perform_seek()
    await rig.consumer.on_partitions_revoked({A, CHANGELOG})
    rig.app.consumer_generation_id = generation

    await rig.consumer.perform_seek()

    assert rig.assignments.in_force is None
    rig.assign(2)
    await group_assigns(rig, {A, CHANGELOG}, 2)
    await rig.consumer.perform_seek()
    assert [generation for generation, _ in rig.observer.begun] == [1, 2]


async def test_a_seek_overtaken_by_an_assignment_opens_nothing(rig: Rig) -> None:
    """The partitions of the new one have not been put in their place."""
    rig.kafka.seek_gate.clear()
    seeking = asyncio.create_task(rig.consumer.perform_seek())
    await until_idle()
    rig.app.consumer_generation_id = 2
    assigned = asyncio.create_task(rig.consumer.on_partitions_assigned({A, CHANGELOG}, 2))
    await asyncio.sleep(0)
    rig.kafka.seek_gate.set()
    await asyncio.wait_for(seeking, 5)
    assigned.cancel()
    rig.consumer.resume_flow()
    rig.consumer.resume_partitions({A, CHANGELOG})
    rig.kafka.batches = [{A: [40], CHANGELOG: [3]}]

    assert await rig.fetched() == [(CHANGELOG, 3)]
    assert rig.observer.begun == []
