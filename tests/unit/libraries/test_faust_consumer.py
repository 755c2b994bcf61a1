"""What Faust's consumer and recovery do with offsets, and the worker therefore does itself.

A test here that fails with a new release says that Faust has changed: look at the comments that
name it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any, cast

import aiokafka
import faust
import pytest
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.utils.queues import FlowControlQueue

from tests.support.workers import eventually

A = TP("events", 0)
CHANGELOG = TP("shop-interactions-changelog", 0)


class Stage:
    """A Faust app, not started, whose consumer reads from no broker."""

    def __init__(self) -> None:
        self.app = faust.App(
            "shop",
            broker="kafka://127.0.0.1:1",
            store="memory://",
            autodiscover=False,
            web_enabled=False,
            stream_recovery_delay=0.0,
        )
        self.app.Table("interactions", key_type=bytes, value_type=bytes, partitions=1)
        self.app.finalize()
        topics: Any = self.app.topics
        topics._acking_topics.add(A.topic)
        consumer = self.app.consumer
        assert isinstance(consumer, driver.Consumer)
        self.consumer = consumer
        tables = self.app.tables
        assert isinstance(tables, TableManager)
        self.recovery: Recovery = tables.recovery
        self.calls: list[str] = []

    def close(self) -> None:
        self.consumer._thread.thread_loop.close()

    def on_seek(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def perform_seek() -> None:
            self.calls.append("seek")

        monkeypatch.setattr(self.consumer, "perform_seek", perform_seek)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


def message(offset: int) -> ConsumerMessage:
    return ConsumerMessage(
        A.topic, A.partition, offset, 0.0, 0, [], b"i-1", b"{}", None, 3, 2, A, generation_id=1
    )


def fetched(*offsets: int) -> Any:
    async def wait_next_records(timeout: float) -> Any:
        return {A: [message(offset) for offset in offsets]}, {A}

    return wait_next_records


async def test_partitions_are_resumed_before_the_seek(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.on_seek(monkeypatch)
    app: Any = stage.app
    monkeypatch.setattr(stage.consumer, "assignment", lambda: {A})
    monkeypatch.setattr(
        stage.consumer, "resume_partitions", lambda tps: stage.calls.append("resume")
    )
    monkeypatch.setattr(type(app.tables), "values", lambda self: [], raising=False)

    async def maybe_start() -> None: ...

    monkeypatch.setattr(app, "_fetcher", SimpleNamespace(maybe_start=maybe_start))
    monkeypatch.setattr(app, "on_rebalance_end", lambda: None)

    await stage.recovery.on_recovery_completed(app.consumer_generation_id)

    assert stage.calls == ["resume", "seek"]


async def test_a_batch_goes_on_after_a_seek(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.consumer, "_wait_next_records", fetched(7, 8))
    monkeypatch.setattr(stage.consumer, "highwater", lambda tp: 9)

    async def committed() -> Mapping[TP, int]:
        return {A: 3}

    monkeypatch.setattr(stage.consumer, "seek_to_committed", committed)
    handed_out = []
    async for _, each in stage.consumer.getmany(timeout=1.0):
        handed_out.append(each.offset)
        await stage.consumer.perform_seek()
    assert handed_out == [7, 8], "and the seek went to 3"


async def test_a_gap_counts_as_acknowledged(stage: Stage) -> None:
    stage.consumer._committed_offset[A] = 5
    await stage.consumer._add_gap(A, 6, 9)
    for offset in (5, 10):
        assert stage.consumer.ack(message(offset))
    assert stage.consumer._new_offset(A) == 11, "nobody has seen 6 to 9"


async def test_a_commit_passes_one_record_that_is_not_finished(stage: Stage) -> None:
    stage.consumer._committed_offset[A] = 5
    for offset in (6, 7):
        stage.consumer.ack(message(offset))
    assert stage.consumer._new_offset(A) == 8, "5 is under way"


async def test_a_batch_that_comes_while_the_flow_is_suspended_is_dropped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.on_seek(monkeypatch)
    monkeypatch.setattr(stage.consumer, "_wait_next_records", fetched(7, 8))
    stage.consumer.flow_active = False
    assert [each async for each in stage.consumer.getmany(timeout=1.0)] == []
    assert stage.calls == ["seek"]


async def test_a_read_offset_outlives_the_revocation_and_drops_records(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = stage.consumer
    fetches = iter([[message(7)], [message(5)]])
    received: list[int] = []
    stopped = asyncio.Event()
    asked: list[float] = []

    async def getmany(timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        asked.append(timeout)
        for each in next(fetches, ()):
            yield A, each
        if len(asked) > 2:
            stopped.set()

    async def take(each: ConsumerMessage) -> None:
        received.append(each.offset)
        consumer._read_offset.pop(A, None)  # as a revocation does

    monkeypatch.setattr(consumer, "getmany", getmany)
    monkeypatch.setattr(consumer, "callback", take)
    await consumer._drain_messages(cast(Any, SimpleNamespace(_stopped=stopped)))
    assert received == [7], "5 belongs to the next assignment"
    assert asked[0] == 1.0, "FETCH_WAIT_SECONDS is shorter"


async def test_a_commit_counts_for_the_one_that_waits_for_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, goes_on = [], asyncio.Event()

    async def force_commit(*args: Any, **kwargs: Any) -> bool:
        made.append(args)
        await goes_on.wait()
        return True

    monkeypatch.setattr(stage.consumer, "force_commit", force_commit)
    first = asyncio.create_task(stage.consumer.commit())
    await eventually(lambda: bool(made), 5, "the first commit is under way")
    second = asyncio.create_task(stage.consumer.commit())
    await asyncio.sleep(0)
    goes_on.set()
    assert await first
    assert not await second
    assert len(made) == 1


async def test_a_restoration_seeks_to_what_is_applied_already(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought: dict[TP, int] = {}

    async def seek_wait(offsets: Mapping[TP, int]) -> None:
        sought.update(offsets)

    monkeypatch.setattr(stage.consumer, "seek_wait", seek_wait)
    recovery = stage.recovery
    recovery.active_offsets[CHANGELOG] = 7
    await recovery._seek_offsets(stage.consumer, {CHANGELOG}, recovery.active_offsets, "active")
    assert sought == {CHANGELOG: 7}


@pytest.mark.parametrize(("end", "is_noticed"), [(2, True), (1, False)])
async def test_a_store_ahead_of_a_changelog_with_one_record_is_not_noticed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, end: int, is_noticed: bool
) -> None:
    app, recovery = stage.app, stage.recovery

    async def ends(*tps: TP) -> Mapping[TP, int]:
        return dict.fromkeys(tps, end)

    async def begins(*tps: TP) -> Mapping[TP, int]:
        return dict.fromkeys(tps, 0)

    async def seek_wait(offsets: Mapping[TP, int]) -> None:
        stage.calls.append("seek")
        await recovery.stop()

    monkeypatch.setattr(app, "_producer", None)
    monkeypatch.setattr(stage.consumer, "highwaters", ends)
    monkeypatch.setattr(stage.consumer, "earliest_offsets", begins)
    monkeypatch.setattr(stage.consumer, "seek_wait", seek_wait)
    recovery.active_tps.add(CHANGELOG)
    recovery.active_offsets[CHANGELOG] = 7
    recovery.signal_recovery_start.set()
    run: Any = Recovery._restart_recovery.fun(recovery)
    if is_noticed:
        with pytest.raises(faust.exceptions.ConsistencyError):
            await asyncio.wait_for(run, 5)
    else:
        await asyncio.wait_for(run, 5)
    assert stage.calls == ([] if is_noticed else ["seek"])


async def test_an_error_in_a_recovery_is_only_logged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recovery = stage.recovery
    queue: FlowControlQueue[Any] = FlowControlQueue(flow_control=stage.app.flow_control)
    stage.app.flow_control.resume()

    class FullDisk:
        recovery_buffer_size = 1

        async def on_changelog_event(self, event: Any) -> None:
            stage.calls.append("failed")
            if len(stage.calls) == 2:
                recovery._stopped.set()
            raise OSError("no space left on device")

    monkeypatch.setattr(type(recovery.tables), "changelog_queue", queue, raising=False)
    recovery.active_tps.add(CHANGELOG)
    recovery.tp_to_table[CHANGELOG] = cast(Any, FullDisk())
    for offset in (0, 1):
        queue.put_nowait(SimpleNamespace(message=SimpleNamespace(tp=CHANGELOG, offset=offset)))
    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(Recovery._slurp_changelogs.fun(recovery), 5)
    assert stage.calls == ["failed", "failed"]
    assert "no space left" in caplog.text


async def test_what_is_restored_counts_before_it_is_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes while no recovery is said to be under way, between two that follow one another
    closely: the next one finds nothing to do, and the table goes to work without it."""
    recovery = stage.recovery
    queue: FlowControlQueue[Any] = FlowControlQueue(flow_control=stage.app.flow_control)
    stage.app.flow_control.resume()

    class Patient:
        recovery_buffer_size = 8

        async def on_changelog_event(self, event: Any) -> None:
            recovery._stopped.set()

        def apply_changelog_batch(self, batch: Any) -> None:
            stage.calls.append("written")

    table = cast(Any, Patient())
    monkeypatch.setattr(type(recovery.tables), "changelog_queue", queue, raising=False)
    recovery.active_tps.add(CHANGELOG)
    recovery.active_highwaters[CHANGELOG] = 5
    recovery.active_offsets[CHANGELOG] = 4
    recovery.tp_to_table[CHANGELOG] = table
    queue.put_nowait(SimpleNamespace(message=SimpleNamespace(tp=CHANGELOG, offset=5)))
    assert recovery.need_recovery()

    await asyncio.wait_for(Recovery._slurp_changelogs.fun(recovery), 5)

    assert not recovery.need_recovery()
    assert (len(recovery.buffers[table]), stage.calls) == (1, [])
    recovery.flush_buffers()
    assert (len(recovery.buffers[table]), stage.calls) == (0, ["written"])


async def test_offsets_are_committed_without_metadata(stage: Stage) -> None:
    committed: dict[Any, Any] = {}

    async def commit(offsets: Mapping[Any, Any]) -> None:
        committed.update(offsets)

    thread = SimpleNamespace(
        _ensure_consumer=lambda: SimpleNamespace(commit=commit),
        assignment=lambda: {A},
        tp_last_committed_at={},
    )
    assert await driver.AIOKafkaConsumerThread._commit(cast(Any, thread), {A: 5})
    assert [each.metadata for each in committed.values()] == [""]


async def test_a_broker_may_hold_a_fetch_for_a_second_and_a_half(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", lambda **options: made.update(options))
    stage.consumer._thread._create_worker_consumer(cast(Any, stage.consumer.transport))
    assert made["fetch_max_wait_ms"] == 1500


async def test_a_queue_that_empties_has_a_partition_read_again(stage: Stage) -> None:
    """Also one that somebody else holds back."""
    consumer = stage.consumer
    consumer._set_active_tps({A})
    flow = stage.app.flow_control
    queue: FlowControlQueue[int] = FlowControlQueue(maxsize=10, flow_control=flow)

    def on_full() -> None:
        consumer.on_buffer_full(A)

    def on_drop() -> None:
        consumer.on_buffer_drop(A)

    for number in range(10):
        queue.put_nowait_enhanced(number, on_pressure_high=on_full, on_pressure_drop=on_drop)
    consumer.on_buffer_full(A)  # as a full waiting room does
    assert consumer._get_active_partitions() == set()
    while not queue.empty():
        queue.get_nowait()
    assert consumer._get_active_partitions() == {A}
