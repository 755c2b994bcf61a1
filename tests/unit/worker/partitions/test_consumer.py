"""The seam between Faust and Kafka: each way in which records vanished, and what holds it shut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import faust
import pytest
from aiokafka.errors import KafkaConnectionError
from faust.tables.manager import TableManager
from faust.types import TP

from streams.errors import LogCut, SettingsError
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.worker.health.broker_probe import BrokerProbe, BrokerView, PartitionView
from streams.worker.partitions import consumer as seam
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.consumer import SourceConsumer, StreamsApp
from streams.worker.partitions.group_thread import GroupThread
from streams.worker.partitions.membership import Membership
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.starting_point import Found, Notice, Start, starting_point

A, B = TP("events", 0), TP("events", 1)
CHANGELOG = TP("shop-interactions-changelog", 0)
KEPT = OffsetRange(3, 9)


# The consumer


async def _unknown() -> None:
    """Nobody can say why no broker answers."""


@dataclass(frozen=True)
class Record:
    """A record as aiokafka hands it out, as far as Faust looks."""

    topic: str
    partition: int
    offset: int
    timestamp: int = 1_765_552_507_657
    timestamp_type: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()
    key: bytes = b"i-1"
    value: bytes = b"{}"
    checksum: None = None
    serialized_key_size: int = 3
    serialized_value_size: int = 2


@dataclass
class FakeThread:
    """The consumer thread with Kafka behind it. ``log``: each call that matters, in order."""

    assigned: set[TP] = field(default_factory=lambda: {A, CHANGELOG})
    committed: dict[TP, int | None] = field(default_factory=dict)
    beginnings: dict[TP, int] = field(default_factory=dict)
    batches: list[dict[TP, list[int]]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    fetch_gate: asyncio.Event = field(default_factory=asyncio.Event)
    seek_gate: asyncio.Event = field(default_factory=asyncio.Event)
    commits: list[dict[TP, int]] = field(default_factory=list)
    commit_succeeds: bool = True
    commit_gate: asyncio.Event = field(default_factory=asyncio.Event)
    timeouts: list[float] = field(default_factory=list)
    restored_from: dict[TP, int] = field(default_factory=dict)
    lives: Mapping[TP, str] = field(default_factory=dict)
    signed: list[dict[TP, tuple[int, str]]] = field(default_factory=list)
    positions: dict[TP, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fetch_gate.set()
        self.seek_gate.set()
        self.commit_gate.set()

    async def getmany(self, active: set[TP] | None, timeout: float) -> dict[TP, list[Record]]:
        self.timeouts.append(timeout)
        self.log.append("fetch begins")
        await self.fetch_gate.wait()
        self.log.append("fetch ends")
        batch = self.batches.pop(0) if self.batches else {}
        return {
            tp: [Record(tp.topic, tp.partition, offset) for offset in offsets]
            for tp, offsets in batch.items()
        }

    async def found(self, tps: list[TP]) -> dict[TP, Found]:
        self.log.append("seek begins")
        await self.seek_gate.wait()
        self.log.append("seek ends")
        return {
            tp: Found(self.committed.get(tp), "", self.beginnings.get(tp, 0), 1000) for tp in tps
        }

    async def sign(self, offsets: Mapping[TP, int]) -> None:
        if offsets:
            self.signed.append({tp: (at, self.lives[tp]) for tp, at in offsets.items()})
            self.log.append("signed")

    def stands_at(self, tp: TP) -> int | None:
        return self.positions.get(tp)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.log.append("restoration's seek begins")
        await self.seek_gate.wait()
        self.restored_from = dict(partitions)
        self.log.append("restoration's seek ends")

    async def kept(self, tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        return dict.fromkeys(tps, KEPT)

    def seek(self, tp: TP, offset: int) -> None:
        self.log.append(f"seek {tp.topic}/{tp.partition} to {offset}")

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.commits.append(dict(offsets))
        await self.commit_gate.wait()
        return self.commit_succeeds

    def assignment(self) -> set[TP]:
        return self.assigned

    def highwater(self, tp: TP) -> int:
        return 100


class Listener:
    """The rest of the worker, as far as the seam asks it: remembers what it was told."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, dict[TP, int]]] = []
        self.ended: list[Assignment] = []
        self.refusal: SettingsError | None = None
        self.starts: dict[TP, Start] = {}
        self.failures: list[BaseException] = []
        self.log: list[str] = []

    async def after_joining(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    async def starting_points(self, found: Mapping[TP, Found]) -> Mapping[TP, Start]:
        return {tp: starting_point(at, "", 0) for tp, at in found.items()} | self.starts

    async def cut(self, tp: TP, stood: int, kept: OffsetRange) -> tuple[Start, LogCut]:
        assert kept == KEPT
        return Start(3, "another life"), LogCut(f"{tp.topic}/{tp.partition} at {stood}")

    def fail(self, failure: BaseException) -> None:
        self.failures.append(failure)
        self.log.append("failed")

    def begin_assignment(self, assignment: Assignment) -> None:
        offsets = {tp: frontier.committed for tp, frontier in assignment.frontiers.items()}
        self.begun.append((assignment.generation, offsets))

    async def end_assignment(self, assignment: Assignment) -> None:
        assert not assignment.revoked
        self.ended.append(assignment)


class Table(faust.Table[bytes, bytes]):
    """RestoredTable with a changelog applied as far as a test says."""

    applied: Mapping[TP, int] = {}

    def begin_restoration(self, kept: Mapping[TP, OffsetRange]) -> Mapping[TP, int]:
        assert kept == {CHANGELOG: KEPT}
        return self.applied


class Rig:
    """A StreamsApp and its consumer on a thread that is none."""

    def __init__(self) -> None:
        self.listener = Listener()
        self.view = BrokerView()
        self.assignments = Assignments(
            events=A.topic, session_alive=lambda: True, fence=lambda: None
        )
        self.assignments.add_listener(self.listener)
        self.app = StreamsApp(
            "shop",
            membership=Membership(10.0, static=False),
            probe=BrokerProbe(self.view, (), why_not=_unknown),
            kafka_settings=KafkaSettings("127.0.0.1:1", TopicNames(""), "shop", 60.0),
            assignments=self.assignments,
            source_logs=self.listener,
            group=self.listener,
            on_failure=self.listener.fail,
            Table=Table,
            broker="kafka://127.0.0.1:1",
            store="memory://",
            autodiscover=False,
            web_enabled=False,
        )
        table = self.app.Table("interactions", key_type=bytes, value_type=bytes, partitions=2)
        assert isinstance(table, Table)
        self.table = table
        self.app.finalize()
        consumer = self.app.consumer
        assert isinstance(consumer, SourceConsumer)
        self.consumer = consumer
        self._real_thread = consumer._thread
        assert isinstance(self._real_thread, GroupThread)
        self.kafka = FakeThread()
        self.listener.log = self.kafka.log
        consumer._thread = cast(Any, self.kafka)
        self.assign(1)

    def close(self) -> None:
        """The thread was made but never started; its loop is open all the same."""
        self._real_thread.thread_loop.close()

    def assign(self, generation: int, *tps: TP) -> None:
        """What the group says; on_partitions_assigned is Faust's to call."""
        self.app.consumer_generation_id = generation
        self.kafka.assigned = set(tps) or {A, CHANGELOG}
        self.consumer._set_active_tps(self.kafka.assigned)
        self.consumer._awaiting_seek = True

    async def fetched(self) -> list[tuple[TP, int]]:
        return [(tp, message.offset) async for tp, message in self.consumer.getmany(timeout=1.0)]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


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
    await settle()
    seeking = asyncio.create_task(rig.consumer.perform_seek())
    await settle()
    assert rig.kafka.log == ["fetch begins"]

    rig.kafka.fetch_gate.set()
    await asyncio.wait_for(asyncio.gather(fetching, seeking), 5)

    assert rig.kafka.log[:3] == ["fetch begins", "fetch ends", "seek events/0 to 0"]


async def test_no_fetch_begins_during_a_seek(rig: Rig) -> None:
    rig.kafka.seek_gate.clear()
    seeking = asyncio.create_task(rig.consumer.perform_seek())
    await settle()
    fetching = asyncio.create_task(rig.fetched())
    await settle()
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
    await settle()
    seeking = asyncio.create_task(rig.consumer.seek_wait({CHANGELOG: 7}))
    await settle()
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
    await settle()
    fetching = asyncio.create_task(rig.fetched())
    await settle()
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
    await settle()
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


# Where an assignment begins


async def test_assignment_begins_at_the_committed_offsets(rig: Rig) -> None:
    rig.assign(3, A, B, CHANGELOG)
    rig.kafka.committed = {A: 5, B: 900, CHANGELOG: 77}

    await rig.consumer.perform_seek()

    assert rig.listener.begun == [(3, {A: 5, B: 900})]
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

    assert rig.listener.begun == [(3, {A: 12, B: 900})]
    assert {step for step in rig.kafka.log if "/" in step} == {
        "seek events/0 to 12",
        "seek events/1 to 900",
    }


async def test_what_the_judgement_says_is_where_it_starts(rig: Rig) -> None:
    """And it is committed at once with its life: a crash must not begin yet another one."""
    rig.kafka.committed = {A: 50}
    rig.listener.starts = {A: Start(2, "life@7", Notice.CUT)}
    rig.kafka.batches = [{A: [2, 3]}]

    await rig.consumer.perform_seek()

    assert rig.listener.begun == [(1, {A: 2})]
    assert rig.kafka.signed == [{A: (2, "life@7")}]
    assert await rig.fetched() == [(A, 2), (A, 3)]


async def test_nothing_is_committed_where_nothing_was_noticed(rig: Rig) -> None:
    rig.kafka.committed = {A: 5}
    rig.listener.starts = {A: Start(5, "life")}

    await rig.consumer.perform_seek()

    assert rig.kafka.signed == []
    assert rig.kafka.lives == {A: "life"}


async def test_a_second_seek_in_a_generation_judges_nothing_anew(rig: Rig) -> None:
    """It goes back to what this assignment has committed, whatever the broker says meanwhile."""
    rig.kafka.committed = {A: 50}
    rig.listener.starts = {A: Start(2, "life@7", Notice.CUT)}
    await rig.consumer.perform_seek()
    rig.listener.starts = {A: Start(900, "another")}
    rig.kafka.batches = [{A: [2]}]

    await rig.consumer.perform_seek()

    assert rig.kafka.lives == {A: "life@7"}
    assert await rig.fetched() == [(A, 2)]


async def test_a_group_that_is_not_ours_alone_opens_nothing(rig: Rig) -> None:
    rig.listener.refusal = SettingsError("APP_ID: not ours")
    rig.kafka.batches = [{A: [0]}]

    await rig.consumer.perform_seek()

    assert rig.listener.failures == [rig.listener.refusal]
    assert rig.listener.begun == []
    assert await rig.fetched() == []


# A log that is cut while it is read


def assert_ended_by_a_cut(rig: Rig, stood: int) -> None:
    (reason,) = rig.listener.failures
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
    assert [str(reason) for reason in rig.listener.failures] == ["events/0 at 5"]


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
    assert rig.listener.failures == []

    rig.view.partitions = {A: PartitionView(0, end=4, short_since=time.monotonic() - 10)}
    await rig.consumer.look_for_cuts()

    assert_ended_by_a_cut(rig, 7)


async def test_a_cut_is_looked_at_again_while_the_broker_does_not_tell(
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
    assert rig.listener.failures == []
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

    assert rig.listener.failures == []


async def test_records_that_come_again_after_a_seek_are_no_cut(rig: Rig) -> None:
    await begun(rig)
    rig.kafka.batches = [{A: [5, 6]}, {A: [5, 6]}]
    await rig.fetched()

    await rig.consumer.perform_seek()

    assert await rig.fetched() == [(A, 5), (A, 6)]
    await rig.consumer.look_for_cuts()
    assert rig.listener.failures == []


async def test_a_second_seek_in_a_generation_keeps_the_assignment(rig: Rig) -> None:
    rig.kafka.committed = {A: 5}
    await rig.consumer.perform_seek()
    assignment = rig.assignments.current

    await rig.consumer.perform_seek()

    assert rig.assignments.current is assignment
    assert len(rig.listener.begun) == 1


async def test_a_new_generation_ends_the_assignment_before(rig: Rig) -> None:
    await rig.consumer.perform_seek()
    before = rig.assignments.current
    assert before is not None
    rig.assign(2)

    await rig.consumer.perform_seek()

    assert before.revoked
    assert rig.assignments.current is not before
    assert [generation for generation, _ in rig.listener.begun] == [1, 2]


async def test_a_committed_offset_of_an_earlier_assignment_is_not_believed(rig: Rig) -> None:
    """Another worker went on from there, and the group's offsets were deleted since."""
    rig.kafka.committed = {A: 500}
    await rig.consumer.perform_seek()
    await rig.consumer.on_partitions_revoked({A, CHANGELOG})
    rig.kafka.committed = {A: None}
    rig.kafka.beginnings = {A: 3}
    rig.assign(2)

    await rig.consumer.perform_seek()

    assert rig.listener.begun[-1] == (2, {A: 3})


async def test_a_seek_overtaken_by_a_revocation_begins_no_assignment(rig: Rig) -> None:
    rig.kafka.seek_gate.clear()
    seeking = asyncio.create_task(rig.consumer.perform_seek())
    await settle()
    revoking = asyncio.create_task(rig.consumer.on_partitions_revoked({A, CHANGELOG}))
    await settle()

    rig.kafka.seek_gate.set()
    await asyncio.wait_for(asyncio.gather(seeking, revoking), 5)

    assert rig.assignments.current is None or rig.assignments.current.revoked


async def test_a_seek_overtaken_by_an_assignment_opens_nothing(rig: Rig) -> None:
    """The partitions of the new one have not been put in their place."""
    rig.kafka.seek_gate.clear()
    seeking = asyncio.create_task(rig.consumer.perform_seek())
    await settle()
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
    assert rig.listener.begun == []


# Commit


async def begun(rig: Rig) -> Assignment:
    rig.kafka.committed = {A: 5}
    await rig.consumer.perform_seek()
    assignment = rig.assignments.current
    assert assignment is not None
    return assignment


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

    assert rig.kafka.commits == [{A: 6}]
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

    monkeypatch.setattr(rig.listener, "end_assignment", end_assignment)
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

    monkeypatch.setattr(rig.listener, "end_assignment", end_assignment)
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


async def test_a_last_commit_that_kafka_does_not_take_is_told(
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


async def test_giving_up_again_does_nothing(rig: Rig) -> None:
    await begun(rig)
    await rig.consumer.wait_empty()

    await rig.consumer.wait_empty()

    assert len(rig.listener.ended) == 1


async def test_partitions_are_revoked_even_if_draining_fails(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment = await begun(rig)

    async def end_assignment(_: Assignment) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(rig.listener, "end_assignment", end_assignment)

    with pytest.raises(RuntimeError):
        await rig.consumer.wait_empty()
    assert assignment.revoked


async def test_no_effect_follows_a_revocation(rig: Rig) -> None:
    assignment = await begun(rig)
    rig.app.flow_control.resume()

    await rig.consumer.on_partitions_revoked({A, CHANGELOG})

    assert rig.listener.ended == [assignment]
    assert assignment.revoked


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
