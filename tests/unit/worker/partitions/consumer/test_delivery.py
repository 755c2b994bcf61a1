"""The seam between Faust and Kafka: what is handed out, and what is not between two seeks."""

from __future__ import annotations

import asyncio

import pytest
from faust.tables.manager import TableManager
from faust.types import TP

from streams.worker.partitions import consumer as seam
from tests.support.consumer_rig import CHANGELOG, A, Rig, begun
from tests.support.event_loop import until_idle


async def test_records_go_through_after_the_seek(rig: Rig) -> None:
    rig.kafka.committed = {A: 5}
    rig.kafka.batches = [{A: [5, 6]}, {A: [7]}]
    await rig.consumer.perform_seek()

    assert await rig.fetched() == [(A, 5), (A, 6)]
    assert await rig.fetched() == [(A, 7)]


async def test_messages_carry_their_generation(rig: Rig) -> None:
    rig.kafka.batches = [{A: [0]}]
    rig.assign(7)
    await rig.consumer.perform_seek()

    (message,) = [message async for _, message in rig.consumer.getmany(timeout=1.0)]

    assert (message.generation_id, message.tp, message.value) == (7, A, b"{}")


async def test_nothing_of_a_source_comes_between_the_assignment_and_the_seek(rig: Rig) -> None:
    """Faust resumes the partitions first and seeks then. Changelogs are restored meanwhile."""
    rig.kafka.batches = [{A: [40, 41], CHANGELOG: [3]}, {A: [5]}]
    rig.kafka.committed = {A: 5}

    assert await rig.fetched() == [(CHANGELOG, 3)]

    await rig.consumer.perform_seek()
    assert await rig.fetched() == [(A, 5)]


async def test_each_assignment_waits_for_a_seek_of_its_own(rig: Rig) -> None:
    await rig.consumer.perform_seek()
    rig.kafka.batches = [{A: [5]}]
    assigned = asyncio.create_task(rig.consumer.on_partitions_assigned({A}, 2))
    await asyncio.sleep(0)

    assert await rig.fetched() == []
    assigned.cancel()


async def test_batch_in_hand_does_not_survive_a_seek(rig: Rig) -> None:
    """Its first record has been handed out when the seek comes; the others lie ahead of it."""
    await rig.consumer.perform_seek()
    rig.kafka.batches = [{A: [40, 41, 42], CHANGELOG: [3]}]
    seen = []

    async for tp, message in rig.consumer.getmany(timeout=1.0):
        seen.append((tp, message.offset))
        if len(seen) == 1:
            await rig.consumer.perform_seek()

    assert [(tp, offset) for tp, offset in seen if tp == A] in ([], [(A, 40)])
    assert (CHANGELOG, 3) in seen


async def test_fetch_under_way_is_over_before_the_seek(rig: Rig) -> None:
    await rig.consumer.perform_seek()
    rig.kafka.log.clear()
    rig.kafka.fetch_gate.clear()
    fetching = asyncio.create_task(rig.fetched())
    await until_idle()
    seeking = asyncio.create_task(rig.consumer.perform_seek())
    await until_idle()
    assert rig.kafka.log == ["fetch begins"]

    rig.kafka.fetch_gate.set()
    await asyncio.wait_for(asyncio.gather(fetching, seeking), 5)

    assert rig.kafka.log[:3] == ["fetch begins", "fetch ends", "seek events/0 to 0"]


async def test_no_fetch_begins_during_a_seek(rig: Rig) -> None:
    rig.kafka.seek_gate.clear()
    seeking = asyncio.create_task(rig.consumer.perform_seek())
    await until_idle()
    fetching = asyncio.create_task(rig.fetched())
    await until_idle()
    assert rig.kafka.log == ["seek begins"]

    rig.kafka.seek_gate.set()
    await asyncio.wait_for(asyncio.gather(fetching, seeking), 5)

    assert rig.kafka.log.index("fetch begins") > rig.kafka.log.index("seek ends")


async def test_a_restoration_begins_when_the_fetch_under_way_is_over(rig: Rig) -> None:
    """It would come back from behind the restoration's seek, and be dropped."""
    await rig.consumer.perform_seek()
    rig.kafka.log.clear()
    rig.kafka.fetch_gate.clear()
    fetching = asyncio.create_task(rig.fetched())
    await until_idle()
    seeking = asyncio.create_task(rig.consumer.seek_wait({CHANGELOG: 7}))
    await until_idle()
    assert rig.kafka.log == ["fetch begins"]

    rig.kafka.fetch_gate.set()
    await asyncio.wait_for(asyncio.gather(fetching, seeking), 5)

    assert rig.kafka.log[:3] == ["fetch begins", "fetch ends", "restoration's seek begins"]


async def test_a_restoration_begins_behind_what_the_store_has(rig: Rig) -> None:
    """Whatever Faust thinks; and the record there is delivered, not taken for the last one read."""
    rig.table.applied = {CHANGELOG: 6}
    rig.consumer._read_offset[CHANGELOG] = 7

    await rig.consumer.seek_wait({CHANGELOG: 1})

    assert rig.kafka.restored_from == {CHANGELOG: 7}
    assert rig.consumer._read_offset[CHANGELOG] is None
    tables = rig.app.tables
    assert isinstance(tables, TableManager)
    assert tables.recovery.active_offsets[CHANGELOG] == 6


async def test_a_fetch_that_waited_for_a_seek_is_not_made_while_the_flow_is_suspended(
    rig: Rig,
) -> None:
    rig.kafka.batches = [{CHANGELOG: [7]}]
    rig.kafka.seek_gate.clear()
    seeking = asyncio.create_task(rig.consumer.seek_wait({CHANGELOG: 7}))
    await until_idle()
    fetching = asyncio.create_task(rig.fetched())
    await until_idle()
    rig.consumer.stop_flow()
    rig.kafka.seek_gate.set()
    await asyncio.wait_for(seeking, 5)
    assert await asyncio.wait_for(fetching, 5) == []

    rig.consumer.resume_flow()

    assert await asyncio.wait_for(rig.fetched(), 5) == [(CHANGELOG, 7)]


async def test_a_batch_fetched_before_the_seek_and_waiting_for_its_turn_is_dropped(
    rig: Rig,
) -> None:
    await rig.consumer.perform_seek()
    rig.kafka.batches = [{A: [40, 41]}]
    rig.kafka.fetch_gate.clear()
    fetching = asyncio.create_task(rig.fetched())
    await until_idle()
    batch = rig.consumer.getmany(timeout=1.0)
    rig.kafka.fetch_gate.set()
    assert await asyncio.wait_for(fetching, 5) == [(A, 40), (A, 41)]
    rig.kafka.batches = [{A: [42, 43]}]
    assert (await anext(batch))[1].offset == 42

    await rig.consumer.perform_seek()

    with pytest.raises(StopAsyncIteration):
        await anext(batch)


async def test_a_seek_does_not_wait_long_for_an_empty_fetch(rig: Rig) -> None:
    await rig.consumer.perform_seek()

    await rig.fetched()

    assert rig.kafka.timeouts == [seam.FETCH_WAIT_SECONDS]


async def test_a_new_generation_ends_the_batch(rig: Rig) -> None:
    await rig.consumer.perform_seek()
    rig.kafka.batches = [{A: [5, 6]}]
    batch = rig.consumer.getmany(timeout=1.0)
    await anext(batch)

    rig.app.consumer_generation_id = 2

    with pytest.raises(StopAsyncIteration):
        await anext(batch)


async def test_a_suspended_flow_ends_the_batch(rig: Rig) -> None:
    await rig.consumer.perform_seek()
    rig.kafka.batches = [{A: [5, 6]}]
    batch = rig.consumer.getmany(timeout=1.0)
    await anext(batch)

    rig.consumer.stop_flow()

    with pytest.raises(StopAsyncIteration):
        await anext(batch)


async def test_gaps_are_not_acknowledged(rig: Rig) -> None:
    await rig.consumer._add_gap(A, 5, 900)

    assert not rig.consumer._gap[A]
    assert rig.consumer._acked[A] == []


@pytest.mark.parametrize(
    ("key", "place", "misplaced"),
    [(b"k", 1, True), (b"k", 0, False), (b"k", None, False), (None, 1, False)],
)
def test_a_record_that_lies_elsewhere_than_its_key_is_put(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    key: bytes | None,
    place: int | None,
    misplaced: bool,
) -> None:
    monkeypatch.setattr(rig.app, "partition_of", lambda topic, key: place)
    assert rig.app.misplaced(A, key) is misplaced


async def test_a_partition_that_is_held_back_is_no_alarm(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust's own look at it logs an error, again and again."""
    alarms: list[TP] = []
    await begun(rig)
    monkeypatch.setattr(
        rig.consumer._thread, "verify_event_path", lambda now, tp: alarms.append(tp), raising=False
    )
    monkeypatch.setattr(rig.consumer, "assignment", lambda: {A})

    await rig.consumer.verify_all_partitions_active()

    assert alarms == []
