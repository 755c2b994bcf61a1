"""The consumer on the seam to Faust, on a thread that is none: a test says what Kafka has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import faust
from faust.types import TP

from streams.errors import LogCut, SettingsError
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.worker.health.broker_probe import BrokerProbe, BrokerView
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.consumer import SourceConsumer, StreamsApp
from streams.worker.partitions.membership import Membership
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.runs import Run
from streams.worker.partitions.source_thread import SourceThread
from streams.worker.partitions.starting_point import Found, Start, starting_point

A, B = TP("events", 0), TP("events", 1)
CHANGELOG = TP("shop-interactions-changelog", 0)
KEPT = OffsetRange(3, 9)


@dataclass(frozen=True)
class Record:
    """A record as aiokafka hands it out, as far as anybody looks."""

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


class Observer:
    """The rest of the worker, as far as the seam asks it: remembers what it was called with."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, dict[TP, int]]] = []
        self.ended: list[Assignment] = []
        self.about_to_commit: list[dict[TP, int]] = []
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

    def committing(self, assignment: Assignment, offsets: Mapping[TP, int]) -> None:
        self.about_to_commit.append(dict(offsets))

    async def end_assignment(self, assignment: Assignment) -> None:
        assert not assignment.revoked
        self.ended.append(assignment)


async def _unknown() -> None:
    """Nobody can say why no broker answers."""


class Table(faust.Table[bytes, bytes]):
    """RestoredTable with a changelog applied as far as a test says."""

    applied: Mapping[TP, int] = {}
    lacking: Mapping[TP, int] = {}
    buffered: tuple[Any, ...] = ()

    def begin_restoration(self, kept: Mapping[TP, OffsetRange]) -> Mapping[TP, int]:
        assert kept == {CHANGELOG: KEPT}
        return self.applied

    def unrestored(self, ends: Mapping[TP, int]) -> Mapping[TP, int]:
        return {tp: offset for tp, offset in self.lacking.items() if tp in ends}

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        self.buffered = (*self.buffered, *batch)


class Rig:
    """A StreamsApp and its consumer on a thread that is none; its own, ``thread``, never starts."""

    def __init__(self) -> None:
        self.observer = Observer()
        self.view = BrokerView()
        self.assignments = Assignments(
            events=A.topic, session_alive=lambda: True, fence=lambda: None
        )
        self.assignments.add_observer(self.observer)
        self.app = StreamsApp(
            "shop",
            membership=Membership(10.0, static=False),
            probe=BrokerProbe(self.view, (), why_not=_unknown),
            kafka_settings=KafkaSettings("127.0.0.1:1", TopicNames(""), "shop", 60.0),
            assignments=self.assignments,
            source_logs=self.observer,
            group=self.observer,
            on_failure=self.observer.fail,
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
        thread = consumer._thread
        assert isinstance(thread, SourceThread)
        self.thread = thread
        self.kafka = FakeThread()
        self.observer.log = self.kafka.log
        consumer._thread = cast(Any, self.kafka)
        self.assign(1)

    def close(self) -> None:
        """The thread was made but never started; its loop is open all the same."""
        self.thread.thread_loop.close()

    def assign(self, generation: int, *tps: TP) -> None:
        """What the group says; on_partitions_assigned is Faust's to call."""
        self.app.consumer_generation_id = generation
        self.kafka.assigned = set(tps) or {A, CHANGELOG}
        self.consumer._set_active_tps(self.kafka.assigned)
        self.consumer._awaiting_seek = True

    async def fetched(self) -> list[tuple[TP, int]]:
        """The records of each run, one after the other."""
        return [
            (tp, record.offset)
            async for tp, message in self.consumer.getmany(timeout=1.0)
            for record in cast(Run, message.value)
        ]


async def begun(rig: Rig) -> Assignment:
    rig.kafka.committed = {A: 5}
    await rig.consumer.perform_seek()
    assignment = rig.assignments.current
    assert assignment is not None
    return assignment
