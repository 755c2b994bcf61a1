"""The seam between Faust and Kafka: a log that is cut while it is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from streams.errors import LogCut
from streams.worker.health.broker_probe import BELIEVED_AFTER_SECONDS, PartitionView
from streams.worker.partitions.offset_range import OffsetRange
from tests.support.consumer_rig import CHANGELOG, KEPT, A, B, Rig, begun
from tests.support.event_loop import until_idle


async def away(tps: Iterable[TP]) -> dict[TP, OffsetRange]:
    """No broker says what it has."""
    raise KafkaConnectionError


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


def seems_short(rig: Rig, *tps: TP, seconds: float = BELIEVED_AFTER_SECONDS) -> None:
    """The broker's fetches have said for so long that these logs end too early."""
    since = time.monotonic() - seconds
    rig.view.partitions = {tp: PartitionView(0, end=4, short_since=since) for tp in tps}


async def test_a_log_that_ends_below_what_was_delivered_ends_the_worker(rig: Rig) -> None:
    """Also where nothing is fetched, because the partition is held back."""
    await begun(rig)
    rig.kafka.batches = [{A: [5, 9]}]  # and the log ends at 9 by now
    await rig.fetched()
    seems_short(rig, A, seconds=BELIEVED_AFTER_SECONDS - 1)
    await rig.consumer.look_for_cuts()
    assert rig.observer.failures == []

    seems_short(rig, A)
    await rig.consumer.look_for_cuts()

    assert_ended_by_a_cut(rig, 10)


async def test_a_new_leader_that_does_not_know_its_end_yet_has_lost_nothing(rig: Rig) -> None:
    """Its fetches name too low an end until its followers have asked it; the log is whole."""
    assignment = await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}, {A: [7]}]
    await rig.fetched()
    seems_short(rig, A)

    await rig.consumer.look_for_cuts()

    assert rig.observer.failures == []
    assert rig.kafka.signed == []
    assert await rig.fetched() == [(A, 7)], "it is read on"
    assignment.frontiers[A].take_up(5)
    assignment.frontiers[A].finish(5)
    assert await rig.consumer.commit()


async def test_a_log_that_only_seems_short_hides_none_that_is(rig: Rig) -> None:
    rig.assign(1, A, B, CHANGELOG)
    rig.kafka.committed = {A: 20, B: 5}  # both logs end at 9 by now
    await rig.consumer.perform_seek()
    seems_short(rig, B, A)

    await rig.consumer.look_for_cuts()

    assert_ended_by_a_cut(rig, 20)


async def test_a_log_that_seems_short_is_read_on_while_the_broker_does_not_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(rig)
    rig.kafka.batches = [{A: [5, 9]}, {A: [10]}]
    await rig.fetched()
    seems_short(rig, A)
    with monkeypatch.context() as patched:
        patched.setattr(rig.kafka, "kept", away)
        await rig.consumer.look_for_cuts()

    assert rig.observer.failures == []
    assert await rig.fetched() == [(A, 10)]
    await rig.consumer.look_for_cuts()
    assert_ended_by_a_cut(rig, 11)


async def test_no_fetch_waits_for_what_the_broker_has_of_a_log_that_seems_short(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take long to answer, and the other partitions are read on. What is read meanwhile is
    not held against an end that is older."""
    answer = asyncio.Event()

    async def late(tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        await answer.wait()
        return dict.fromkeys(tps, KEPT)

    await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}, {A: [7, 20]}]
    await rig.fetched()
    seems_short(rig, A)
    monkeypatch.setattr(rig.kafka, "kept", late)
    looking = asyncio.create_task(rig.consumer.look_for_cuts())
    await until_idle()

    assert await asyncio.wait_for(rig.fetched(), 5) == [(A, 7), (A, 20)]

    answer.set()
    await asyncio.wait_for(looking, 5)
    assert rig.observer.failures == []


async def test_of_a_log_that_is_yet_to_be_sought_nobody_is_asked(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker may be slow to answer, and the seek puts the log right anyway."""

    async def asked(tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        raise AssertionError("nothing is to be learned")

    await begun(rig)
    seems_short(rig, A)
    await rig.consumer.on_partitions_revoked({A, CHANGELOG})
    monkeypatch.setattr(rig.kafka, "kept", asked)

    await rig.consumer.look_for_cuts()

    assert rig.observer.failures == []


async def test_a_log_that_was_sought_meanwhile_is_not_judged_by_where_it_stood(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seek has put it right, or it is another worker's by now."""
    answer = asyncio.Event()

    async def late(tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        await answer.wait()
        return dict.fromkeys(tps, KEPT)

    await begun(rig)
    rig.kafka.batches = [{A: [5, 9]}]
    await rig.fetched()
    seems_short(rig, A)
    with monkeypatch.context() as patched:
        patched.setattr(rig.kafka, "kept", late)
        looking = asyncio.create_task(rig.consumer.look_for_cuts())
        await until_idle()
        await rig.consumer.perform_seek()
        answer.set()
        await asyncio.wait_for(looking, 5)

    assert rig.observer.failures == []


async def test_a_cut_is_looked_at_again_while_the_broker_does_not_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the next start is to go on must be committed, or it would not notice."""
    await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}, {A: [3, 4]}, {A: [5, 6, 7]}]
    await rig.fetched()
    await rig.fetched()

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
