"""The worker from its settings to its end: check, assemble, start, watch, drain."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

from opentelemetry import trace
from prometheus_client import CollectorRegistry

from streams.clock import Clock, SystemClock
from streams.decision import Policy
from streams.errors import SettingsError, WorkerError
from streams.genesys.client import GenesysClient, open_client
from streams.kafka.group import GroupCheck
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.topics import TopicsAdmin, VerifiedTopics, create_changelog, verify_topics
from streams.last_resort import leave_within
from streams.settings import Settings
from streams.telemetry.metrics import WorkerMetrics
from streams.worker.app import build_app, declare_agents
from streams.worker.datadir import Origin, claim
from streams.worker.holes import BrokerHoleInspector
from streams.worker.lives import Lives
from streams.worker.membership import Membership
from streams.worker.mortality import Mortality
from streams.worker.report import Report
from streams.worker.road import Deferrals, Road
from streams.worker.server import StateServer
from streams.worker.steward import Steward
from streams.worker.sweeper import sweep_for_ever
from streams.worker.table import InteractionTable, changelog, declare
from streams.worker.vitals import Monitor
from streams.worker.watchdog import Watchdog

log = logging.getLogger(__name__)

# A worker that can not do its job must not hang on its way out either: Faust's stop has been seen
# to wait for ever in a rebalance, and whoever started the worker waits for its end.
LEAVE_SECONDS = 15.0

# For Faust to stop, the drain included; and, after another second to leave the group, to flush and
# close what is ours. Together less than the 10 s after a SIGTERM: a stop that meets a rebalance
# hangs once in twenty times.
STOP_SECONDS = 6.5
LAST_SECONDS = 1.0


async def run_worker(settings: Settings, stop: asyncio.Event) -> None:
    """Work until ``stop`` is set, then drain and leave the group.

    Raises SettingsError, TopicsError or KafkaError before anything is started, and a WorkerError
    with the reason when the worker can no longer do its job.
    """
    genesys, policy = settings.genesys(), _policy(settings)
    topics = await asyncio.to_thread(verify_topics, settings)
    kept_in = changelog(settings.app_id)
    group = None
    if not topics.embedded:  # which has one group at a time, and tells nothing of it
        group = GroupCheck(settings, (settings.topics.events, settings.topics.retries, kept_in))
        await group.before_joining()
    await asyncio.to_thread(create_changelog, settings, kept_in)
    admin = TopicsAdmin(settings)
    identity = await asyncio.to_thread(admin.identity, [kept_in])
    origin = Origin(identity.cluster, identity.topics.get(kept_in, ""))
    clock, random = SystemClock(), Random()
    metrics = WorkerMetrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        stores = stack.enter_context(claim(settings, embedded=topics.embedded, origin=origin))
        membership = Membership(
            settings.kafka_session_timeout_seconds, static=settings.worker_instance_id is not None
        )
        publisher = KafkaPublisher(
            settings, client_id=f"{settings.app_id}-worker", may_send=membership.session_alive
        )
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        client = await stack.enter_async_context(
            open_client(
                genesys,
                in_flight=settings.max_in_flight,
                observer=metrics,
                clock=clock,
                random=random,
            )
        )
        worker = Worker(
            settings,
            topics,
            stores,
            admin=admin,
            group=group,
            policy=policy,
            client=client,
            membership=membership,
            publisher=publisher,
            clock=clock,
            random=random,
            metrics=metrics,
        )
        await worker.run(stop)


class Worker:
    """Everything wired together; good for one run."""

    def __init__(
        self,
        settings: Settings,
        topics: VerifiedTopics,
        stores: Path,
        *,
        admin: TopicsAdmin,
        group: GroupCheck | None,
        policy: Policy,
        client: GenesysClient,
        membership: Membership,
        publisher: KafkaPublisher,
        clock: Clock,
        random: Random,
        metrics: WorkerMetrics,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[BaseException] = loop.create_future()
        self._app = build_app(settings, topics, stores, membership=membership, stewardship=self)
        table = declare(self._app, topics.partitions)
        self._table = InteractionTable(
            table, publisher, clock, ttl_seconds=settings.state_ttl_seconds
        )
        report = Report(
            publisher=publisher,
            topics=settings.topics,
            app_id=settings.app_id,
            clock=clock,
            metrics=metrics,
            tracer=trace.get_tracer("streams.worker"),
        )
        self._mortality = Mortality(settings.dead_letter_limit)
        road = Road(
            table=self._table,
            api=client,
            report=report,
            policy=policy,
            deferrals=Deferrals(
                most=settings.retry_max_attempts, first=settings.retry_first_seconds
            ),
            clock=clock,
            random=random,
            metrics=metrics,
            mortality=self._mortality,
        )
        self._steward = Steward(
            road=road,
            table=self._table,
            holes=BrokerHoleInspector(settings),
            clock=clock,
            metrics=metrics,
            mortality=self._mortality,
            topics=settings.topics,
            in_flight=settings.max_in_flight,
            session_alive=membership.session_alive,
            fence=publisher.fence,
            hold_back=self._app.hold_back,
            on_failure=self.fail,
        )
        sources = (settings.topics.events, settings.topics.retries)
        lives = Lives(lambda: admin.identity(sources).topics, clock=clock, metrics=metrics)
        self._group = group
        self.starting_points = lives.starting_points
        self.cut = lives.cut
        self.begin_restoration = self._table.begin_restoration
        self.begin_tenure = self._steward.begin_tenure
        self.end_tenure = self._steward.end_tenure
        declare_agents(self._app, settings, self._steward, self.fail)
        self._monitor = Monitor(
            self._app,
            self._steward,
            self._table,
            gate=client.gate,
            refused=lambda: client.refused,
            mortality=self._mortality,
            metrics=metrics,
        )
        self._watchdog = Watchdog(self._monitor.vitals, clock, stall_seconds=settings.stall_seconds)
        self._server = StateServer(settings, self._app, self._table, self._monitor, metrics)
        self._client = client
        self._clock = clock
        self._ttl_seconds = settings.state_ttl_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Start, work, and give everything back in order. Raises WorkerError."""
        self._app.finalize()
        await self._server.start()
        try:
            await self._work(stop)
        finally:
            await self._server.stop()

    async def _work(self, stop: asyncio.Event) -> None:
        starting: asyncio.Task[WorkerError | None] = asyncio.create_task(
            self._app.start(), name="faust"
        )
        watching: asyncio.Task[WorkerError | None] = asyncio.create_task(
            self._watchdog.watch(), name="watchdog"
        )
        sweeping: asyncio.Task[WorkerError | None] = asyncio.create_task(
            sweep_for_ever(self._steward, self._table, self._clock, self._ttl_seconds),
            name="sweeper",
        )
        stopping = asyncio.create_task(stop.wait(), name="stop")
        proving: asyncio.Task[WorkerError | None] = asyncio.create_task(
            self._client.prove_credentials(), name="credentials"
        )
        for task in (starting, watching, sweeping, proving):
            task.add_done_callback(self._ended)
        try:
            ends: set[asyncio.Future[Any]] = {stopping, self._failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            reason = self._failed.result() if self._failed.done() else None
            self._monitor.ending = str(reason or "stopping")
            if reason is not None:
                leave_within(LEAVE_SECONDS, str(reason))
        finally:
            watching.cancel()
            sweeping.cancel()
            proving.cancel()
            stopping.cancel()
        await self._leave(starting)
        if reason is not None:
            raise (
                reason
                if isinstance(reason, WorkerError | SettingsError)
                else WorkerError(f"the worker met an error it has no answer to: {reason!r}")
            ) from reason

    async def _leave(self, starting: asyncio.Task[WorkerError | None]) -> None:
        if not starting.done():
            starting.cancel()
        await asyncio.wait({starting})
        stopping = asyncio.create_task(self._app.stop(), name="faust stop")
        await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        if stopping.done():
            stopping.result()
        elif self._app.given_up:
            # Nothing is left to lose: the partitions are drained, their offsets committed.
            await self._app.leave_group()
            leave_within(LAST_SECONDS, "Faust hangs in a rebalance on its way out", code=0)

    def _ended(self, task: asyncio.Task[WorkerError | None]) -> None:
        if task.cancelled():
            return
        failure = task.exception() or task.result()
        if failure is not None:
            self.fail(failure)

    async def check_group(self) -> None:
        """Whether workers of another prefix are in our group (Stewardship)."""
        if self._group is not None:
            await self._group.after_joining()

    def fail(self, failure: BaseException) -> None:
        """End the worker: the watchdog's reason, or an error that nothing has an answer to."""
        if not isinstance(failure, WorkerError | SettingsError):
            log.error("the worker ends", exc_info=failure)
        if not self._failed.done():
            self._failed.set_result(failure)


def _policy(settings: Settings) -> Policy:
    return Policy(
        code=settings.disposition_code(),
        threshold_ms=settings.duration_threshold_ms,
        fetch=settings.fetch_policy,
        dry_run=settings.dry_run,
    )
