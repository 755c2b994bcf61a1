"""A world for the work on conversations, and one incarnation of a worker in it.

The call is a story of ``wrap_up_model``, Genesys Cloud is that of ``conversation_desk``; the worker
is the real one on doubles of table, API and Kafka, which write down every step.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from streams.clock import rfc3339
from streams.core.conversations.conversation import Conversation
from streams.core.conversations.events import parse_conversation_event
from streams.core.conversations.policy import LOOKS, LookPolicy, WrapUpPolicy
from streams.core.conversations.record import ConversationRecord, decode_record
from streams.core.records import Call
from streams.core.retry_policy import DeferralPolicy
from streams.genesys.api import CallContext
from streams.genesys.conversations import LegAddress
from streams.kafka.publisher import Publisher
from streams.wire.outcomes import Outcome
from streams.worker.conversations.processor import ConversationProcessor
from streams.worker.conversations.results import ResultPublisher
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.invariants import Invariants
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import OutcomePublisher
from streams.worker.spans import RecordSpans
from streams.worker.state.table import InteractionTable
from tests.support.conversation_desk import Cloud
from tests.support.incarnation import MortalCommit, RecordingPublisher
from tests.support.taken_up import Incarnation
from tests.support.world import EVENTS, TOPICS, TTL_SECONDS, KafkaWorld
from tests.support.wrap_up_model import CONVERSATION, OURS, START

KEY = CONVERSATION.encode()


def unchanged(_: Cloud) -> None:
    """What happens to Genesys Cloud before a call: nothing."""


@dataclass
class ConversationWorld(KafkaWorld):
    """``cloud``: Genesys Cloud. ``table``: the records of conversations, encoded."""

    cloud: Cloud = field(default_factory=lambda: Cloud([]))
    table: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock.now += (START - self.now_ms) / 1000

    @property
    def now_ms(self) -> int:
        return round(self.clock.time() * 1000)

    def be_at(self, at_ms: int) -> None:
        """Let time pass until then; it does not go back."""
        self.clock.now += max(0.0, (at_ms - self.now_ms) / 1000)

    @property
    def record(self) -> ConversationRecord:
        return decode_record(self.table[CONVERSATION])

    def finals(self, *, of_legs: bool) -> dict[str, list[Outcome]]:
        """The final outcomes by their id."""
        found: dict[str, list[Outcome]] = {}
        for each in self.outcomes:
            if each.final and (each.leg is not None) == of_legs:
                found.setdefault(each.outcome_id, []).append(each)
        return found


def of_a_conversation(value: bytes) -> str:
    """The name of the writing of a conversation's record: an intent while a code may have left."""
    doubtful = [each.sent for each in decode_record(value).open if each.sent is not None]
    return "intent" if any(each.accepted_at is None for each in doubtful) else "record"


class TableInADict(InteractionTable[ConversationRecord]):
    """The table in a dict that outlives the worker."""

    def __init__(self, world: ConversationWorld) -> None:
        self._world = world
        self._clock = world.clock
        self._ttl_ms = TTL_SECONDS * 1000

    def get(self, partition: int, interaction_id: str) -> ConversationRecord | None:
        assert partition == EVENTS.partition
        value = self._world.table.get(interaction_id)
        return None if value is None else decode_record(value)

    async def put_all(self, assignment: object, records: Mapping[tuple[int, str], bytes]) -> None:
        await self._world.effects(
            [
                (of_a_conversation(value), partial(self._world.table.__setitem__, key, value))
                for (_, key), value in records.items()
            ]
        )


class StandInConversations:
    """ConversationsApi on the world's one conversation; one try a call."""

    def __init__(self, world: ConversationWorld) -> None:
        self._world = world

    async def look(self, conversation_id: str, context: CallContext) -> Conversation:
        assert conversation_id == CONVERSATION
        self._count(context, "GET")
        shown: list[Conversation] = []
        cloud = self._world.cloud
        await self._world.effect("GET", lambda: shown.append(cloud.get(self._world.now_ms)))
        return shown[0]

    async def set_code(self, leg: LegAddress, code: str, context: CallContext) -> int:
        assert leg.conversation_id == CONVERSATION
        self._count(context, "PATCH")
        statuses: list[int] = []
        cloud, now_ms = self._world.cloud, self._world.now_ms

        def take() -> None:
            statuses.append(cloud.patch(now_ms, leg.participant_id, code))

        await self._world.effect("PATCH", take)
        return statuses[0]

    def _count(self, context: CallContext, method: str) -> None:
        context.guard()
        context.calls += 1
        context.attempts = 1
        at = rfc3339(self._world.clock.time())
        context.made.append(Call(at, method, 200, None, 0.0, 0.0, None))


class ConversationWorker(Incarnation):
    """One incarnation of a worker in that world."""

    def __init__(
        self,
        world: ConversationWorld,
        *,
        policy: WrapUpPolicy | None = None,
        looks: LookPolicy = LOOKS,
        table: InteractionTable[ConversationRecord] | None = None,
        publisher: Publisher | None = None,
        dead_letter_limit: DeadLetterLimit | None = None,
        session_alive: Callable[[], bool] = lambda: True,
        seed: int = 7,
        tracer: trace.Tracer | None = None,
    ) -> None:
        super().__init__(world, session_alive=session_alive, parse=parse_conversation_event)
        self.world = world
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.invariants = Invariants(
            kept=lambda record: self.processor.kept(record),  # noqa: PLW0108 - it is made below
            events=EVENTS.topic,
            metrics=self.metrics,
        )
        self.failures: list[BaseException] = []
        table = table or TableInADict(world)
        publisher = publisher or RecordingPublisher(world)
        limit = dead_letter_limit or DeadLetterLimit(1.0)
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
            dead_letter_limit=limit,
            invariants=self.invariants,
        )
        commits = MortalCommit[ConversationRecord](
            table=table,
            publisher=publisher,
            outcomes=outcomes,
            spans=spans,
            alone=lambda decided: self.processor.publish_alone(decided),  # noqa: PLW0108 - made below
            on_failure=self.failures.append,
        )
        self.processor = ConversationProcessor(
            table=table,
            commits=commits,
            api=StandInConversations(world),
            outcomes=outcomes,
            results=ResultPublisher(
                outcomes=outcomes,
                publisher=publisher,
                topics=TOPICS,
                metrics=self.metrics,
                invariants=self.invariants,
                spans=spans,
                clock=world.clock,
                dead_letter_limit=limit,
            ),
            policy=policy or WrapUpPolicy(OURS),
            looks=looks,
            deferrals=DeferralPolicy(limit=looks.deferrals),
            clock=world.clock,
            random=Random(seed),
            metrics=self.metrics,
            spans=spans,
        )

    async def process(self, value: bytes | None, offset: int = 0) -> None:
        async with asyncio.timeout(20):
            await self.processor.process(self.take_up(value, offset, key=KEY))

    async def resume(self, record: SourceRecord) -> None:
        """Work on a copy that came back from ``retries``, once its time has come."""
        self.world.be_at(round(record.not_before * 1000))
        async with asyncio.timeout(20):
            await self.processor.process(record)


async def live(worker: ConversationWorker, log: list[tuple[int, bytes]], random: Random) -> None:
    """One life, from what was committed at first: nothing. ``log``: the events with the times at
    which Kafka has them. Of an event and a copy that are due, either comes first."""
    world = worker.world
    taken = seen = 0
    waiting: list[tuple[float, int, SourceRecord]] = []
    while taken < len(log) or waiting or seen < len(world.put_off):
        while seen < len(world.put_off):
            record = worker.returned(world.put_off[seen], seen)
            heapq.heappush(waiting, (record.not_before, seen, record))
            seen += 1
        of_event = log[taken][0] if taken < len(log) else math.inf
        of_copy = waiting[0][0] * 1000 if waiting else math.inf
        if _event_first(of_event, of_copy, world.now_ms, random):
            world.be_at(log[taken][0])
            await worker.process(log[taken][1], taken)
            taken += 1
        else:
            await worker.resume(heapq.heappop(waiting)[-1])


def _event_first(of_event: float, of_copy: float, now_ms: int, random: Random) -> bool:
    if max(of_event, of_copy) <= now_ms:
        return random.random() < 0.5
    return of_event <= of_copy
