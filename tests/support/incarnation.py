"""One incarnation of a worker in a world: all its own parts on doubles of table, API and Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from streams.core.decision import Policy
from streams.core.interaction import Interaction
from streams.core.records import Call, InteractionRecord, Remembered, decode_record
from streams.core.retry_policy import DeferralPolicy
from streams.errors import NotFound
from streams.genesys.api import CallContext, GenesysApi
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, AcknowledgedRun, Publisher
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.decider import Decider
from streams.worker.group_commit import GroupCommit
from streams.worker.invariants import Invariants
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import OutcomePublisher
from streams.worker.partitions.assignment import Assignment
from streams.worker.processor import RecordProcessor
from streams.worker.quick_path import QuickPath
from streams.worker.spans import RecordSpans
from streams.worker.state.table import InteractionTable
from tests.support.taken_up import Incarnation
from tests.support.world import (
    CODE,
    EVENTS,
    TOPICS,
    TTL_SECONDS,
    Crashed,
    KafkaWorld,
    Sent,
    World,
)

R = TypeVar("R", bound=Remembered)


class StandInTable(InteractionTable[InteractionRecord]):
    """The interactions table in a dict that outlives the worker."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clock = world.clock
        self._ttl_ms = TTL_SECONDS * 1000

    def get(self, partition: int, interaction_id: str) -> InteractionRecord | None:
        assert partition == EVENTS.partition
        return self._world.records.get(interaction_id)

    async def put_all(
        self, assignment: Assignment, records: Mapping[tuple[int, str], bytes]
    ) -> None:
        assert {partition for partition, _ in records} == {EVENTS.partition}
        await assignment.owned()
        decoded = [decode_record(record) for record in records.values()]
        await self._world.effects(
            [
                ("verdict" if each.intent is None else "intent", partial(self._keep, each))
                for each in decoded
            ]
        )

    def _keep(self, record: InteractionRecord) -> None:
        self._world.records[record.interaction_id] = record


class StandInApi:
    """GenesysApi on the world's one interaction; one try a call."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        assert interaction_id == self._world.interaction.id
        self._count(context, "GET")
        await self._world.effect("GET", self._fetched)
        return self._world.interaction

    async def set_disposition(
        self, interaction_id: str, code: str, etag: str | None, context: CallContext
    ) -> int:
        assert interaction_id == self._world.interaction.id
        self._count(context, "PATCH")
        await self._world.effect("PATCH", lambda: self._patched(code, etag))
        return 200

    def _count(self, context: CallContext, method: str) -> None:
        context.guard()
        context.calls += 1
        context.attempts = 1
        at = f"2025-12-12T15:15:07.{len(context.made):03}Z"
        context.made.append(Call(at, method, 200, None, 0.0, 0.0, None))

    def _fetched(self) -> None:
        if self._world.fetches:
            self._world.fetches.popleft()(self._world)

    def _patched(self, code: str, etag: str | None) -> None:
        self._world.arrive_late()
        if self._world.patches:
            self._world.patches.popleft()(self._world, code, etag)
        else:
            self._world.take(code, etag)


class OneInteraction(StandInApi):
    """Knows i-1, as an API that is asked for any other id says so."""

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        if interaction_id != "i-1":
            self._count(context, "GET")
            raise NotFound("no such interaction", status=404)
        return await super().fetch(interaction_id, context)


class RecordingPublisher(Publisher):
    """Publisher into the world."""

    def __init__(self, world: KafkaWorld) -> None:
        self._world = world

    async def publish(self, message: Message) -> Acknowledged:
        await self._world.effects([self._effect(message)])
        return Acknowledged(message.topic, message.partition or 0, len(self._world.sent) - 1)

    async def enqueue_all(
        self, messages: Sequence[Message]
    ) -> Sequence[asyncio.Future[AcknowledgedRun]]:
        offset = len(self._world.sent)
        await self._world.effects([self._effect(message) for message in messages])
        acknowledged = asyncio.get_running_loop().create_future()
        acknowledged.set_result(AcknowledgedRun(0, offset, messages))
        return [acknowledged]

    def _effect(self, message: Message) -> tuple[str, Callable[[], None]]:
        name = {
            TOPICS.outcomes: "outcome",
            TOPICS.dead_letters: "dead letter",
            TOPICS.retries: "put off",
        }[message.topic]
        sent = Sent(message.topic, message.key, message.value, message.headers)
        return name, partial(self._world.sent.append, sent)

    async def enqueue(self, *_: Any, **__: Any) -> asyncio.Future[Acknowledged]:
        raise AssertionError("the processor waits for each acknowledgement")


class MortalCommit(GroupCommit[R]):
    """A crash in a step of a group is the end of whoever waits for the group, too."""

    async def _guarded(self, step: Coroutine[Any, Any, None], publishing: Any = None) -> None:
        async def mortal() -> None:
            try:
                await step
            except Crashed as crash:
                self._fail(crash, publishing)

        await super()._guarded(mortal(), publishing)


class Worker(Incarnation):
    """One incarnation: a processor, an assignment, and what it takes to send a record down."""

    def __init__(
        self,
        world: World,
        *,
        policy: Policy | None = None,
        deferrals: DeferralPolicy | None = None,
        dead_letter_limit: DeadLetterLimit | None = None,
        committed: int = 0,
        random: Random | None = None,
        tracer: trace.Tracer | None = None,
        api: GenesysApi | None = None,
        publisher: Publisher | None = None,
        table: InteractionTable[InteractionRecord] | None = None,
        session_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(world, committed=committed, session_alive=session_alive)
        self.world = world
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.table = table or StandInTable(world)
        self.failures: list[BaseException] = []
        publisher = publisher or RecordingPublisher(world)
        policy = policy or Policy(code=CODE)
        self.invariants = Invariants(
            kept=lambda record: decider.kept(record),  # noqa: PLW0108 - it is made below
            events=EVENTS.topic,
            metrics=self.metrics,
        )
        spans = RecordSpans(
            tracer or TracerProvider().get_tracer("test"), app_id="test-app", clock=world.clock
        )
        outcomes = OutcomePublisher(
            publisher=publisher,
            topics=TOPICS,
            app_id="test-app",
            metrics=self.metrics,
            spans=spans,
            clock=world.clock,
            dead_letter_limit=dead_letter_limit or DeadLetterLimit(1.0),
            invariants=self.invariants,
        )
        self.commits = MortalCommit[InteractionRecord](
            table=self.table,
            publisher=publisher,
            outcomes=outcomes,
            spans=spans,
            alone=lambda decided: self.processor.publish_alone(decided),  # noqa: PLW0108 - made below
            on_failure=self.failures.append,
        )
        decider = Decider(
            table=self.table,
            commits=self.commits,
            policy=policy,
            clock=world.clock,
            metrics=self.metrics,
        )
        self.quick_path = QuickPath(decider=decider, commits=self.commits, metrics=self.metrics)
        self.processor = RecordProcessor(
            decider=decider,
            api=api or StandInApi(world),
            outcomes=outcomes,
            policy=policy,
            deferrals=deferrals or DeferralPolicy(),
            clock=world.clock,
            random=random or Random(7),
            metrics=self.metrics,
            commits=self.commits,
            spans=spans,
        )

    async def resume(self, sent: Sent, offset: int = 0) -> None:
        """Send a record that was put off down once more."""
        async with asyncio.timeout(20):
            await self.processor.process(self.returned(sent, offset))

    async def process(self, value: bytes | None, offset: int = 0, **kafka: Any) -> None:
        async with asyncio.timeout(20):
            await self.processor.process(self.take_up(value, offset, **kafka))


def samples(metrics: WorkerMetrics) -> Mapping[str, float]:
    """Every sample of ours by its name, summed over its labels. The process's own change by
    themselves."""
    sums: dict[str, float] = {}
    for metric in metrics.registry.collect():
        for sample in metric.samples if metric.name.startswith("genesys_streams_") else ():
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums
