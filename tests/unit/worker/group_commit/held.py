"""Groups whose steps end when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from streams.core.records import (
    Basis,
    Decision,
    InteractionRecord,
    Reason,
    Source,
    Verdict,
)
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, AcknowledgedRun, Publisher
from streams.wire.outcomes import decode_outcome
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.group_commit import GroupCommit
from streams.worker.invariants import Invariants
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import Decided, OutcomePublisher, decided
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.frontier import Frontier
from streams.worker.spans import RecordSpans
from streams.worker.state.table import InteractionTable
from tests.support.event_loop import until_idle
from tests.support.scripted import LeapingClock
from tests.support.taken_up import parsed
from tests.support.world import EVENTS, TOPICS, event

VERDICT = Verdict(Decision.INELIGIBLE, Reason.NOT_COMPLETED, Basis.EVENT, decided_at="then")

# Monotonic seconds.
TAKEN_UP_AT = 1.0


class Held(Publisher):
    """Table and publisher of the groups. Each step waits until a test ends it.

    ``written``, ``published``: what each step was about, by interaction and by offset.
    """

    def __init__(self) -> None:
        self.written: list[list[str]] = []
        self.published: list[list[int]] = []
        self.steps: list[asyncio.Future[None]] = []

    async def put_all(
        self, assignment: Assignment, records: Mapping[tuple[int, str], bytes]
    ) -> None:
        await assignment.owned()
        self.written.append([interaction_id for _, interaction_id in records])
        await self._step()

    async def enqueue_all(
        self, messages: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        """Two runs, so that a group is not whole when its first is acknowledged."""
        self.published.append([offset_of(message) for message in messages])
        middle = (len(messages) + 1) // 2
        halves = [(40, messages[:middle]), (7, messages[middle:])]
        return [
            asyncio.ensure_future(self._acknowledged(offset, half))
            for offset, half in halves
            if half
        ]

    async def enqueue(self, message: Message) -> asyncio.Future[Acknowledged]:
        raise AssertionError("groups are queued whole")

    async def publish(self, message: Message) -> Acknowledged:
        raise AssertionError("groups are queued whole")

    async def _acknowledged(self, offset: int, messages: Sequence[Message]) -> AcknowledgedRun:
        await self._step()
        return AcknowledgedRun(3, offset, messages)

    async def _step(self) -> None:
        step = asyncio.get_running_loop().create_future()
        self.steps.append(step)
        await step

    def end(self, failure: Exception | None = None) -> None:
        """End the step that has waited longest."""
        step = self.steps.pop(0)
        if failure is None:
            step.set_result(None)
        else:
            step.set_exception(failure)


def offset_of(message: Message) -> int:
    assert message.value is not None
    return decode_outcome(message.value).source.offset


class Groups:
    """Groups, and the records that a test puts into them."""

    def __init__(self) -> None:
        self.held = Held()
        self.failures: list[BaseException] = []
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.assignment = Assignment(1, {EVENTS: 0})
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        clock = LeapingClock()
        spans = RecordSpans(provider.get_tracer("test"), app_id="test-app", clock=clock)
        self.commits = GroupCommit(
            table=cast(InteractionTable[InteractionRecord], self.held),
            publisher=self.held,
            outcomes=OutcomePublisher(
                publisher=self.held,
                topics=TOPICS,
                app_id="test-app",
                metrics=self.metrics,
                spans=spans,
                clock=clock,
                dead_letter_limit=DeadLetterLimit(1.0),
                invariants=Invariants(
                    kept=lambda _: True, events=EVENTS.topic, metrics=self.metrics
                ),
            ),
            spans=spans,
            alone=self._alone,
            on_failure=self.failures.append,
        )

    async def _alone(self, _: Decided[InteractionRecord]) -> None:
        raise AssertionError("the outcomes of a group can be made")

    def decided(
        self, offset: int, interaction_id: str = "i-1", *, stored: bool = False
    ) -> Decided[InteractionRecord]:
        """A record taken up, with its outcome. ``stored``: the table has its verdict already."""
        value = event(offset).replace(b'"i-1"', f'"{interaction_id}"'.encode())
        self.frontier.take_up(offset)
        record = SourceRecord(
            assignment=self.assignment,
            tp=EVENTS,
            offset=offset,
            key=interaction_id.encode(),
            value=value,
            headers=(),
            timestamp=1.0,
            taken_up_at=TAKEN_UP_AT,
            event=parsed(value),
            source=Source(EVENTS.topic, EVENTS.partition, offset),
        )
        return decided(record, VERDICT, None if stored else state(interaction_id, offset))

    def add(self, offset: int, interaction_id: str = "i-1", *, stored: bool = False) -> None:
        self.commits.add(self.decided(offset, interaction_id, stored=stored))

    async def end_all(self) -> None:
        """Let all groups end."""
        await until_idle()
        while self.held.steps:
            self.held.end()
            await until_idle()

    def finished(self, name: str) -> list[Any]:
        """The spans of this name that have ended."""
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    @property
    def frontier(self) -> Frontier:
        return self.assignment.frontiers[EVENTS]

    @property
    def open(self) -> list[int]:
        """Records taken up and not finished."""
        return [at for at in range(self.frontier.expected) if self.frontier.is_open(at)]


def state(interaction_id: str, offset: int) -> InteractionRecord:
    return InteractionRecord(interaction_id, verdict=VERDICT, last_offset=offset)
