"""The seam between Faust and Kafka: a log that is cut while it is read."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from streams.errors import LogCut
from streams.worker.health.broker_probe import PartitionView
from streams.worker.partitions.offset_range import OffsetRange
from tests.support.consumer_rig import CHANGELOG, A, B, Rig, begun


def assert_ended_by_a_cut(rig: Rig, stood: int) -> None:
    (reason,) = rig.observer.failures
    assert isinstance(reason, LogCut)
    assert str(reason) == f"events/0 at {stood}"
    assert rig.kafka.signed == [{A: (3, "another life")}]


async def test_a_record_below_what_was_delivered_ends_the_worker(rig: Rig) -> None:
    """aiokafka resets the position by itself; the records would pass for repeats."""
    assignment = await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}, {A: [3, 4]}, {A: [5]}]
    await rig.fetched()
    assignment.frontiers[A].take_up(5)
    assignment.frontiers[A].finish(5)

    assert await rig.fetched() == []
    await rig.consumer.look_for_cuts()

    assert_ended_by_a_cut(rig, 7)
    assert rig.kafka.log[-2:] == ["signed", "failed"], "the end cancels what is under way"
    assert await rig.fetched() == []
    assert not await rig.consumer.commit(), "offsets of the old log"


async def test_what_befell_one_partition_is_looked_for_in_all(rig: Rig) -> None:
    """By the next start their logs may have grown past the committed offsets again."""
    rig.assign(1, A, B, CHANGELOG)
    rig.kafka.committed = {A: 5, B: 20}  # both logs end at 9 by now
    await rig.consumer.perform_seek()
    assignment = rig.assignments.current
    assert assignment is not None
    rig.kafka.batches = [{A: [3]}]

    await rig.fetched()
    await rig.consumer.look_for_cuts()

    assert rig.kafka.signed == [{A: (3, "another life"), B: (3, "another life")}]
    assert [str(reason) for reason in rig.observer.failures] == ["events/0 at 5"]


async def test_a_position_below_what_was_delivered_ends_the_worker(rig: Rig) -> None:
    """Nothing was written to it since, so no record tells."""
    await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}]
    await rig.fetched()
    rig.kafka.positions = {A: 0}

    await rig.consumer.look_for_cuts()

    assert_ended_by_a_cut(rig, 7)


async def test_a_log_that_ends_below_what_was_delivered_ends_the_worker(rig: Rig) -> None:
    """Also where nothing is fetched, because the partition is held back."""
    await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}]
    await rig.fetched()
    rig.view.partitions = {A: PartitionView(0, end=4, short_since=time.monotonic() - 9, taken_up=7)}
    await rig.consumer.look_for_cuts()
    assert rig.observer.failures == []

    rig.view.partitions = {A: PartitionView(0, end=4, short_since=time.monotonic() - 10)}
    await rig.consumer.look_for_cuts()

    assert_ended_by_a_cut(rig, 7)


async def test_a_cut_is_looked_at_again_while_the_broker_does_not_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the next start is to go on must be committed, or it would not notice."""
    await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}, {A: [3, 4]}, {A: [5, 6, 7]}]
    await rig.fetched()
    await rig.fetched()

    async def away(tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        raise KafkaConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(rig.kafka, "kept", away)
        await rig.consumer.look_for_cuts()
    assert rig.observer.failures == []
    assert await rig.fetched() == [], "nor is anything delivered"

    await rig.consumer.look_for_cuts()

    assert_ended_by_a_cut(rig, 7)


@pytest.mark.parametrize("position", [None, 7, 9])
async def test_a_position_that_is_sought_or_ahead_is_no_cut(rig: Rig, position: int | None) -> None:
    await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}]
    await rig.fetched()
    if position is not None:
        rig.kafka.positions = {A: position}

    await rig.fetched()
    await rig.consumer.look_for_cuts()

    assert rig.observer.failures == []


async def test_records_that_come_again_after_a_seek_are_no_cut(rig: Rig) -> None:
    await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}, {A: [5, 6]}]
    await rig.fetched()

    await rig.consumer.perform_seek()

    assert await rig.fetched() == [(A, 5), (A, 6)]
    await rig.consumer.look_for_cuts()
    assert rig.observer.failures == []
