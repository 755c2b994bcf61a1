"""A world for the processor: table, Genesys Cloud and Kafka, which outlive the worker's crashes.

Every effect is a step in one journal, when it leaves and when it has been acknowledged, and at any
step a test can have the worker crash or lose its partition.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from faust.types import TP
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from streams.core.decision import Policy
from streams.core.envelope import InteractionEvent, parse
from streams.core.interaction import Interaction
from streams.core.records import InteractionRecord, Source
from streams.core.retry_policy import DeferralPolicy
from streams.errors import ApiTimeout, Conflict, ConnectionLost, EnvelopeError, ServerError
from streams.genesys.api import CallContext, GenesysApi
from streams.kafka.message import Headers, Message
from streams.kafka.publisher import Acknowledged
from streams.kafka.settings import TopicNames
from streams.wire.outcomes import Outcome, decode_outcome
from streams.wire.retries import read_returned
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import OutcomePublisher
from streams.worker.partitions.assignment import Assignment
from streams.worker.processor import RecordProcessor
from streams.worker.state.table import InteractionTable
from tests.support.journal import Journal, JournalingFrontier
from tests.support.scripted import LeapingClock

TOPICS = TopicNames("test.")
EVENTS = TP(TOPICS.events, 3)
RETRIES = TP(TOPICS.retries, 3)
CODE = "code-7"
TTL_SECONDS = 1000.0
ELIGIBLE = Interaction(
    id="i-1",
    type="voice",
    state="completed",
    disposition_code_id=None,
    wrap_up_code_id=None,
    duration_ms=60_000,
    etag='"1"',
)
COMPLETED = {"interactionType": "voice", "state": "completed"}


def event(sequence: int | str = 1, *, time: str = "2025-12-12T15:15:00Z", **detail: str) -> bytes:
    """An EventBridge event of the one interaction; a completed voice call by default."""
    return json.dumps(
        {
            "id": f"event-{sequence}",
            "detail-type": "purecloud:v2:interaction:update",
            "source": "aws.partner/genesys.com",
            "time": time,
            "detail": {"interactionId": "i-1", "sequenceId": sequence, **(detail or COMPLETED)},
        }
    ).encode()


class Crashed(BaseException):
    """The process is gone: nothing after this point happens, and nothing catches it."""


@dataclass(frozen=True)
class Sent:
    """One record that Kafka has."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def named(self) -> dict[str, str]:
        return {name: value.decode() for name, value in self.headers}


Patched = Callable[["World", str, str | None], None]
Fetched = Callable[["World"], None]


@dataclass
class World(Journal):
    """What survives a crash, and the journal of how it came about.

    ``fetches`` and ``patches`` happen to the next calls instead of the usual. ``late``: PATCHes on
    their way for longer than the caller waited. ``applied`` counts the changes made by PATCHes.
    """

    interaction: Interaction = ELIGIBLE
    records: dict[str, InteractionRecord] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    fetches: deque[Fetched] = field(default_factory=deque)
    patches: deque[Patched] = field(default_factory=deque)
    late: list[tuple[str, str | None]] = field(default_factory=list)
    applied: int = 0
    clock: LeapingClock = field(default_factory=LeapingClock)

    def take(self, code: str, etag: str | None) -> None:
        """The API applies a PATCH, if it is meant for the interaction as it is."""
        if etag is not None and etag != self.interaction.etag:
            raise Conflict("changed meanwhile", status=412)
        self.change(code)
        self.applied += 1

    def change(self, code: str | None) -> None:
        """Somebody changes the interaction."""
        etag = (self.interaction.etag or "") + "'"
        self.interaction = replace(self.interaction, disposition_code_id=code, etag=etag)

    def arrive_late(self) -> None:
        """What was on its way arrives, with nobody to hear how it went."""
        while self.late:
            with suppress(Conflict):
                self.take(*self.late.pop(0))

    @property
    def outcomes(self) -> list[Outcome]:
        return [
            decode_outcome(sent.value)
            for sent in self.sent
            if sent.topic == TOPICS.outcomes and sent.value is not None
        ]

    @property
    def dead_letters(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.topic == TOPICS.dead_letters]

    @property
    def put_off(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.topic == TOPICS.retries]

    @property
    def record(self) -> InteractionRecord:
        return self.records["i-1"]


def lost_once_applied(world: World, code: str, etag: str | None) -> None:
    """The PATCH is applied, its answer never comes."""
    world.take(code, etag)
    raise ApiTimeout("no answer", maybe_applied=True)


def lost_on_the_way(_: World, code: str, etag: str | None) -> None:
    """The PATCH is never applied, and the caller can not know."""
    raise ConnectionLost("connection broke", maybe_applied=True)


def failed_once_applied(world: World, code: str, etag: str | None) -> None:
    world.take(code, etag)
    raise ServerError("500 after all", status=500, maybe_applied=True)


def failed_at_once(_: World, code: str, etag: str | None) -> None:
    raise ServerError("500", status=500, maybe_applied=True)


def arrives_late(world: World, code: str, etag: str | None) -> None:
    """The PATCH arrives behind whatever is sent next."""
    world.late.append((code, etag))
    raise ApiTimeout("no answer yet", maybe_applied=True)


def unreachable(*_: object) -> None:
    raise ConnectionLost("not sent")


def raising(error: Exception) -> Callable[..., None]:
    """A GET or a PATCH that fails so."""

    def fail(*_: object) -> None:
        raise error

    return fail


class StandInTable(InteractionTable):
    """The interactions table in a dict that outlives the worker."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clock = world.clock
        self._ttl_ms = TTL_SECONDS * 1000

    def get(self, partition: int, interaction_id: str) -> InteractionRecord | None:
        assert partition == EVENTS.partition
        return self._world.records.get(interaction_id)

    async def put(self, assignment: Assignment, partition: int, record: InteractionRecord) -> None:
        assert partition == EVENTS.partition
        await assignment.owned()
        name = "verdict" if record.intent is None else "intent"
        await self._world.effect(name, lambda: self._write(record))

    def _write(self, record: InteractionRecord) -> None:
        self._world.records[record.interaction_id] = record


class StandInApi:
    """GenesysApi on the world's one interaction; one try a call."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        assert interaction_id == self._world.interaction.id
        self._count(context)
        await self._world.effect("GET", self._fetched)
        return self._world.interaction

    async def set_disposition(
        self, interaction_id: str, code: str, etag: str | None, context: CallContext
    ) -> int:
        assert interaction_id == self._world.interaction.id
        self._count(context)
        await self._world.effect("PATCH", lambda: self._patched(code, etag))
        return 200

    def _count(self, context: CallContext) -> None:
        context.guard()
        context.calls += 1
        context.attempts = 1

    def _fetched(self) -> None:
        if self._world.fetches:
            self._world.fetches.popleft()(self._world)

    def _patched(self, code: str, etag: str | None) -> None:
        self._world.arrive_late()
        if self._world.patches:
            self._world.patches.popleft()(self._world, code, etag)
        else:
            self._world.take(code, etag)


class RecordingPublisher:
    """Publisher into the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def publish(self, message: Message) -> Acknowledged:
        name = {
            TOPICS.outcomes: "outcome",
            TOPICS.dead_letters: "dead letter",
            TOPICS.retries: "put off",
        }[message.topic]
        sent = Sent(message.topic, message.key, message.value, message.headers)
        await self._world.effect(name, lambda: self._world.sent.append(sent))
        return Acknowledged(message.topic, message.partition or 0, len(self._world.sent) - 1)

    async def enqueue(self, *_: Any, **__: Any) -> asyncio.Future[Acknowledged]:
        raise AssertionError("the processor waits for each acknowledgement")


class Worker:
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
        session_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        self.world = world
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.assignment = Assignment(1, {}, session_alive=session_alive)
        self.frontier = JournalingFrontier(committed, world)
        self.assignment.frontiers[EVENTS] = self.frontier
        self.retries = JournalingFrontier(0, world)
        self.assignment.frontiers[RETRIES] = self.retries
        outcomes = OutcomePublisher(
            publisher=RecordingPublisher(world),
            topics=TOPICS,
            app_id="test-app",
            metrics=self.metrics,
            tracer=tracer or TracerProvider().get_tracer("test"),
        )
        self.processor = RecordProcessor(
            table=StandInTable(world),
            api=api or StandInApi(world),
            outcomes=outcomes,
            policy=policy or Policy(code=CODE),
            deferrals=deferrals or DeferralPolicy(),
            clock=world.clock,
            random=random or Random(7),
            metrics=self.metrics,
            dead_letter_limit=dead_letter_limit or DeadLetterLimit(1.0),
        )

    def take_up(
        self,
        value: bytes | None,
        offset: int = 0,
        *,
        key: bytes | None = b"i-1",
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> SourceRecord:
        self.frontier.skip_to(offset)
        self.frontier.take_up(offset)
        return SourceRecord(
            assignment=self.assignment,
            tp=EVENTS,
            offset=offset,
            key=key,
            value=value,
            headers=headers,
            timestamp=self.world.clock.time(),
            taken_up_at=self.world.clock.monotonic(),
            event=parsed(value),
            source=Source(EVENTS.topic, EVENTS.partition, offset),
        )

    def returned(self, sent: Sent, offset: int) -> SourceRecord:
        """What the world has in ``retries``, taken up at this offset of it."""
        returned = read_returned(sent.headers)
        self.retries.skip_to(offset)
        self.retries.take_up(offset)
        return SourceRecord(
            assignment=self.assignment,
            tp=RETRIES,
            offset=offset,
            key=sent.key,
            value=sent.value,
            headers=tuple(sent.headers),
            timestamp=self.world.clock.time(),
            taken_up_at=self.world.clock.monotonic(),
            event=parsed(sent.value),
            source=returned.source,
            attempt=returned.put_off.attempt,
            redriven=returned.redriven,
            not_before=returned.put_off.not_before / 1000,
        )

    async def resume(self, sent: Sent, offset: int = 0) -> None:
        """Send a record that was put off down once more."""
        async with asyncio.timeout(20):
            await self.processor.process(self.returned(sent, offset))

    async def process(self, value: bytes | None, offset: int = 0, **kafka: Any) -> None:
        async with asyncio.timeout(20):
            await self.processor.process(self.take_up(value, offset, **kafka))


def parsed(value: bytes | None) -> InteractionEvent | EnvelopeError:
    try:
        read = parse(value or b"")
    except EnvelopeError as error:
        return error
    assert read is not None
    return read


def samples(metrics: WorkerMetrics) -> Mapping[str, float]:
    """Every sample by its name, summed over its labels."""
    sums: dict[str, float] = {}
    for metric in metrics.registry.collect():
        for sample in metric.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums
