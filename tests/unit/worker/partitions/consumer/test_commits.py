"""The seam between Faust and Kafka: what is committed, and how partitions are given up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from faust.types import TP

from streams.worker.partitions.assignment import Assignment
from tests.support.consumer_rig import CHANGELOG, A, Rig, begun


async def test_commits_the_frontier_and_nothing_else(rig: Rig) -> None:
    assignment = await begun(rig)
    frontier = assignment.frontiers[A]
    for offset in (5, 6, 7):
        frontier.take_up(offset)
    frontier.finish(5)
    frontier.finish(7)
    # What Faust would go by.
    rig.consumer._acked[A] = [5, 6, 7, 8, 9]
    rig.consumer._committed_offset[A] = 10

    assert await rig.consumer.commit()

    assert rig.kafka.commits == rig.observer.about_to_commit == [{A: 6}]
    assert frontier.committed == 6


async def test_commits_nothing_when_nothing_has_moved(rig: Rig) -> None:
    assignment = await begun(rig)
    assignment.frontiers[A].take_up(5)

    assert not await rig.consumer.commit()
    assert rig.kafka.commits == []


async def test_a_commit_that_failed_is_made_again(rig: Rig) -> None:
    assignment = await begun(rig)
    assignment.frontiers[A].take_up(5)
    assignment.frontiers[A].finish(5)
    rig.kafka.commit_succeeds = False
    assert not await rig.consumer.commit()

    rig.kafka.commit_succeeds = True

    assert await rig.consumer.commit()
    assert rig.kafka.commits == [{A: 6}, {A: 6}]


async def test_commits_nothing_of_another_generation(rig: Rig) -> None:
    assignment = await begun(rig)
    assignment.frontiers[A].take_up(5)
    assignment.frontiers[A].finish(5)
    rig.app.consumer_generation_id = 2

    assert not await rig.consumer.commit()
    assert rig.kafka.commits == []


async def test_commits_nothing_without_a_assignment(rig: Rig) -> None:
    assert not await rig.consumer.commit()


# Giving up


async def test_partitions_are_given_up_in_order(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drained, then committed, then revoked."""
    assignment = await begun(rig)
    assignment.frontiers[A].take_up(5)
    order: list[str] = []

    async def end_assignment(ending: Assignment) -> None:
        assert not ending.revoked
        order.append("drained")
        ending.frontiers[A].finish(5)

    async def commit(offsets: Mapping[TP, int]) -> bool:
        assert not assignment.revoked
        order.append(f"committed {offsets[A]}")
        return True

    monkeypatch.setattr(rig.observer, "end_assignment", end_assignment)
    monkeypatch.setattr(rig.kafka, "commit", commit)

    await rig.consumer.wait_empty()

    assert order == ["drained", "committed 6"]
    assert assignment.revoked


async def test_what_was_finished_during_a_commit_is_committed_before_the_partition_goes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of every second is on its way when the drain ends."""
    assignment = await begun(rig)
    frontier = assignment.frontiers[A]
    frontier.take_up(5)
    frontier.take_up(6)
    frontier.finish(5)

    async def end_assignment(ending: Assignment) -> None:
        frontier.finish(6)

    monkeypatch.setattr(rig.observer, "end_assignment", end_assignment)
    rig.kafka.commit_gate.clear()
    regular = asyncio.create_task(rig.consumer.commit())
    await asyncio.sleep(0)
    assert rig.kafka.commits == [{A: 6}]

    giving_up = asyncio.create_task(rig.consumer.wait_empty())
    await asyncio.sleep(0)
    rig.kafka.commit_gate.set()
    await asyncio.gather(regular, giving_up)

    assert rig.kafka.commits == [{A: 6}, {A: 7}]
    assert assignment.revoked


async def test_a_last_commit_that_kafka_refuses_is_reported(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    assignment = await begun(rig)
    assignment.frontiers[A].take_up(5)
    assignment.frontiers[A].finish(5)
    rig.kafka.commit_succeeds = False

    await rig.consumer.wait_empty()

    assert assignment.revoked
    assert "Kafka did not take the last offsets" in caplog.text


async def test_what_is_drained_is_given_up_though_its_commit_hangs(rig: Rig) -> None:
    """Kafka is away: the commit has no end, and a SIGTERM has one."""
    assignment = await begun(rig)
    assignment.frontiers[A].take_up(5)
    assignment.frontiers[A].finish(5)
    assert not rig.assignments.given_up
    rig.kafka.commit_gate.clear()

    leaving = asyncio.create_task(rig.consumer.wait_empty())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert rig.assignments.given_up
    assert not assignment.revoked
    rig.kafka.commit_gate.set()
    await leaving
    assert assignment.revoked


async def test_giving_up_again_does_nothing(rig: Rig) -> None:
    await begun(rig)
    await rig.consumer.wait_empty()

    await rig.consumer.wait_empty()

    assert len(rig.observer.ended) == 1


async def test_partitions_are_revoked_even_if_draining_fails(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment = await begun(rig)

    async def end_assignment(_: Assignment) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(rig.observer, "end_assignment", end_assignment)

    with pytest.raises(RuntimeError):
        await rig.consumer.wait_empty()
    assert assignment.revoked


async def test_no_effect_follows_a_revocation(rig: Rig) -> None:
    assignment = await begun(rig)
    rig.app.flow_control.resume()

    await rig.consumer.on_partitions_revoked({A, CHANGELOG})

    assert rig.observer.ended == [assignment]
    assert assignment.revoked
