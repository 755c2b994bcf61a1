"""The worker's parts for the dialect ``interactions``, wired together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

from streams.clock import Clock
from streams.core.decision import Policy
from streams.core.envelope import parse
from streams.core.records import InteractionRecord, decode_record
from streams.core.retry_policy import DeferralPolicy
from streams.genesys.api import ApiObserver
from streams.genesys.client import GenesysClient, open_client
from streams.settings import Settings
from streams.worker.decider import Decider
from streams.worker.dialect import Parts, Surroundings
from streams.worker.group_commit import GroupCommit
from streams.worker.processor import RecordProcessor
from streams.worker.quick_path import QuickPath
from streams.worker.state.table import InteractionTable
from streams.worker.way import Way

# Share of MAX_IN_FLIGHT for records that come back from `retries`. Records that fail again and
# again take at most this share of the API's time from the others, and records that an outage has
# put off are still decided within minutes.
RETURNED_SHARE = 0.05

# Requests of a record that is asked about: its GET and its PATCH.
ORDINARY = 2.0

# Records from `retries` that wait in memory. More of them cost nothing in Kafka.
ROOM = 5_000


@dataclass(frozen=True, slots=True)
class InteractionsDialect:
    """A Dialect of ``streams/worker/dialect.py``."""

    client: GenesysClient
    policy: Policy

    def build(self, around: Surroundings) -> Parts:
        settings = around.settings
        table = InteractionTable(
            around.table,
            around.publisher,
            around.clock,
            decode=decode_record,
            ttl_seconds=settings.state_ttl_seconds,
        )
        commits = GroupCommit[InteractionRecord](
            table=table,
            publisher=around.publisher,
            outcomes=around.outcomes,
            spans=around.spans,
            alone=lambda decided: processor.publish_alone(decided),  # noqa: PLW0108 - it is made below
            on_failure=around.on_failure,
        )
        decider = Decider(
            table=table,
            commits=commits,
            policy=self.policy,
            clock=around.clock,
            metrics=around.metrics,
        )
        processor = RecordProcessor(
            decider=decider,
            api=self.client,
            outcomes=around.outcomes,
            policy=self.policy,
            deferrals=DeferralPolicy(
                limit=settings.retry_max_attempts, first=settings.retry_first_seconds
            ),
            clock=around.clock,
            random=around.random,
            metrics=around.metrics,
            commits=commits,
            spans=around.spans,
        )
        quick_path = QuickPath(decider=decider, commits=commits, metrics=around.metrics)
        way = Way(parse, quick_path, processor, RETURNED_SHARE, ROOM, ordinary=ORDINARY)
        return Parts(table, commits, way, decider.kept)


@asynccontextmanager
async def open_interactions(
    settings: Settings, *, observer: ApiObserver, clock: Clock, random: Random
) -> AsyncIterator[InteractionsDialect]:
    """The dialect with a client that is closed when the block ends. Raises SettingsError."""
    policy = settings.policy()
    async with open_client(
        settings.genesys(),
        in_flight=settings.max_in_flight,
        observer=observer,
        clock=clock,
        random=random,
    ) as client:
        yield InteractionsDialect(client, policy)
