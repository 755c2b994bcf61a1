"""The worker's parts for the dialect ``conversations``, wired together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from streams.clock import Clock
from streams.core.conversations.events import parse_conversation_event
from streams.core.conversations.policy import LookPolicy, WrapUpPolicy
from streams.core.conversations.record import ConversationRecord, decode_record
from streams.core.retry_policy import DeferralPolicy
from streams.genesys.api import ApiObserver
from streams.genesys.conversations_client import ConversationsClient, open_conversations
from streams.settings import Settings
from streams.worker.conversations.processor import ConversationProcessor
from streams.worker.conversations.results import ResultPublisher
from streams.worker.dialect import Parts, Surroundings
from streams.worker.group_commit import GroupCommit
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.state.table import InteractionTable
from streams.worker.way import Way

# Share of MAX_IN_FLIGHT for looks. Every look comes from `retries`, and some wait at the gate for
# the API's budget: the other half is for events, which need no API and must not wait for it.
LOOKS_SHARE = 0.5

# Requests of a look: the ordinary call has two of them, and takes two GETs and a write
# (docs/limits.md).
ORDINARY = 1.5

# Looks that wait in memory: those of an hour of a hundred agents. One takes 4 KiB there, so further
# ones wait on the disk.
ROOM = 5_000

# Looks that wait on the disk. Those beyond would wait in Kafka, and be late. Of each some 180 bytes
# stay in memory, in the order of what is due and in the frontier.
SPILLED = 1_000_000


class NoQuickPath:
    """Every event of a conversation takes its lane: its deliveries are told one after the other,
    because each takes the place of the one before in the conversation's record."""

    def take(self, record: SourceRecord) -> bool:
        """False."""
        return False


@dataclass(frozen=True, slots=True)
class ConversationsDialect:
    """A Dialect of ``streams/worker/dialect.py``."""

    client: ConversationsClient
    policy: WrapUpPolicy

    def build(self, around: Surroundings) -> Parts:
        settings = around.settings
        table = InteractionTable(
            around.table,
            around.publisher,
            around.clock,
            decode=decode_record,
            ttl_seconds=settings.state_ttl_seconds,
        )
        commits = GroupCommit[ConversationRecord](
            table=table,
            publisher=around.publisher,
            outcomes=around.outcomes,
            spans=around.spans,
            alone=lambda decided: processor.publish_alone(decided),  # noqa: PLW0108 - it is made below
            on_failure=around.on_failure,
        )
        processor = ConversationProcessor(
            table=table,
            commits=commits,
            api=self.client,
            outcomes=around.outcomes,
            results=ResultPublisher(
                outcomes=around.outcomes,
                publisher=around.publisher,
                topics=settings.topics,
                metrics=around.metrics,
                invariants=around.invariants,
                spans=around.spans,
                clock=around.clock,
                dead_letter_limit=around.dead_letter_limit,
            ),
            policy=self.policy,
            looks=LookPolicy(deferrals=settings.retry_max_attempts),
            deferrals=DeferralPolicy(
                limit=settings.retry_max_attempts, first=settings.retry_first_seconds
            ),
            clock=around.clock,
            random=around.random,
            metrics=around.metrics,
            spans=around.spans,
        )
        way = Way(
            parse_conversation_event,
            NoQuickPath(),
            processor,
            LOOKS_SHARE,
            ROOM,
            SPILLED,
            planned=processor.is_planned,
            ordinary=ORDINARY,
            asks_events=False,
        )
        return Parts(table, commits, way, processor.kept)


@asynccontextmanager
async def open_conversations_dialect(
    settings: Settings, *, observer: ApiObserver, clock: Clock, random: Random
) -> AsyncIterator[ConversationsDialect]:
    """The dialect with a client that is closed when the block ends. Raises SettingsError."""
    policy = settings.wrap_up_policy()
    async with open_conversations(
        settings.genesys(),
        in_flight=settings.max_in_flight,
        observer=observer,
        clock=clock,
        random=random,
    ) as client:
        yield ConversationsDialect(client, policy)
