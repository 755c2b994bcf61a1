"""The worker from its settings to its end: check, assemble, start, watch, drain."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from opentelemetry import trace
from prometheus_client import CollectorRegistry

from streams.clock import Clock, SystemClock
from streams.errors import SettingsError, Stalled, WorkerError
from streams.genesys.proxies import proxies_for
from streams.kafka.admin import TopicsAdmin
from streams.kafka.diagnosis import why_not
from streams.kafka.group import GroupCheck
from streams.kafka.principal import principal
from streams.kafka.publisher import KafkaPublisher
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import VerifiedTopics
from streams.last_resort import leave_within
from streams.settings import Settings
from streams.stopping import unless_stopped
from streams.telemetry.metering import NOWHERE, MetricsExport
from streams.worker.app import build_app, declare_agents
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.dialect import Dialect, Surroundings
from streams.worker.dialects import open_dialect
from streams.worker.dispatcher import Dispatcher
from streams.worker.drain import DrainOf
from streams.worker.ending import Ending
from streams.worker.health.broker_probe import BrokerProbe, BrokerView
from streams.worker.health.causes import in_words
from streams.worker.health.kafka_faults import Fault, Needs, faults
from streams.worker.health.monitor import Monitor
from streams.worker.health.stacks import log_stacks
from streams.worker.health.watchdog import Watchdog
from streams.worker.http import StateServer
from streams.worker.invariants import Invariants
from streams.worker.lanes.spill import Spill
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import OutcomePublisher
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.lives import Lives
from streams.worker.partitions.membership import Membership
from streams.worker.partitions.offset_probe import BrokerHoleInspector
from streams.worker.preparation import prepare
from streams.worker.spans import RecordSpans
from streams.worker.standing import StandingOf
from streams.worker.start_line import start_line
from streams.worker.state.datadir import claim
from streams.worker.state.sweeper import sweep_for_ever
from streams.worker.state.table import changelog, declare

log = logging.getLogger(__name__)

# For the whole way out of a worker that can not do its job. It must not hang there either: Faust's
# stop may wait for ever (robinhood/faust#484), and the supervisor waits for the worker's end.
LEAVE_SECONDS = 15.0

# STOP_SECONDS: for Faust to stop, the drain included. LAST_SECONDS: if it hangs, to flush and close
# our own parts, after another second to leave the group. Together less than the 10 s after a
# SIGTERM, which hold for a stop that hangs too (tests/kafka/test_worker_ends.py).
STOP_SECONDS = 6.5
LAST_SECONDS = 1.0

# For the whole way out if Faust has stopped, closing our own parts included. A producer that still
# has a record for unreachable brokers would wait for them much longer than the 10 s after a
# SIGTERM.
GONE_SECONDS = 9.0

HANGS = "Kafka does not answer, or Faust hangs in a rebalance, on its way out"


async def run_worker(
    settings: Settings, stop: asyncio.Event, export: MetricsExport = NOWHERE
) -> None:
    """Work until ``stop`` is set, then drain and leave the group.

    Raises SettingsError, TopicsError or KafkaError before anything is started, and a WorkerError
    with the reason when the worker can no longer do its job.
    """
    genesys = settings.genesys()
    settings.check_policy()
    proxies_for(genesys.base_url, genesys.login_url)  # refuses bad settings before Kafka is asked
    prepared = await unless_stopped(stop, prepare(settings.kafka))
    if prepared is None:
        return
    topics = prepared.topics
    clock, random = SystemClock(), Random()
    metrics = WorkerMetrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        stores = stack.enter_context(
            claim(
                settings.data_dir / settings.app_id,
                embedded=topics.embedded,
                origin=prepared.origin,
            )
        )
        membership = Membership(
            settings.kafka_session_timeout_seconds, static=settings.worker_instance_id is not None
        )
        publisher = KafkaPublisher(
            settings.kafka, client_id=f"{settings.app_id}-worker", may_send=membership.session_alive
        )
        stack.push_async_callback(publisher.stop)
        await unless_stopped(stop, publisher.start())
        if stop.is_set():
            return
        dialect = await stack.enter_async_context(
            open_dialect(settings, observer=metrics, clock=clock, random=random)
        )
        worker = Worker(
            settings,
            topics,
            stores,
            admin=prepared.admin,
            group=prepared.group,
            dialect=dialect,
            membership=membership,
            publisher=publisher,
            clock=clock,
            random=random,
            metrics=metrics,
        )
        await worker.run(stop, export)


class Worker:
    """All parts of the worker, wired together. It can be run once."""

    def __init__(
        self,
        settings: Settings,
        topics: VerifiedTopics,
        stores: Path,
        *,
        admin: TopicsAdmin,
        group: GroupCheck | None,
        dialect: Dialect,
        membership: Membership,
        publisher: KafkaPublisher,
        clock: Clock,
        random: Random,
        metrics: WorkerMetrics,
    ) -> None:
        self._settings = settings
        self._ending = Ending()
        self._assignments = Assignments(
            events=settings.topics.events,
            session_alive=membership.session_alive,
            fence=publisher.fence,
        )
        self._needs = _needs(settings.kafka, topics)
        self._membership, self._publisher = membership, publisher
        self._consumer_view, self._producer_view = BrokerView(), BrokerView()
        self._why_not = partial(why_not, settings.kafka)
        sources = (settings.topics.events, settings.topics.retries)
        self._app = build_app(
            settings,
            topics,
            stores,
            membership=membership,
            probe=BrokerProbe(
                self._consumer_view,
                self._needs.topics,
                taken_up=self._assignments.taken_up,
                why_not=self._why_not,
            ),
            assignments=self._assignments,
            source_logs=Lives(lambda: admin.identity(sources).topics, clock=clock, metrics=metrics),
            group=group,
            on_failure=self._ending.fail,
        )
        spans = RecordSpans(trace.get_tracer("streams.worker"), app_id=settings.app_id, clock=clock)
        self._dead_letter_limit = DeadLetterLimit(settings.dead_letter_limit)
        invariants = Invariants(
            kept=lambda record: parts.kept(record),  # noqa: PLW0108 - they are made below
            events=settings.topics.events,
            metrics=metrics,
        )
        outcomes = OutcomePublisher(
            publisher=publisher,
            topics=settings.topics,
            app_id=settings.app_id,
            metrics=metrics,
            spans=spans,
            clock=clock,
            dead_letter_limit=self._dead_letter_limit,
            invariants=invariants,
        )
        parts = dialect.build(
            Surroundings(
                settings=settings,
                table=declare(self._app, topics.partitions),
                publisher=publisher,
                outcomes=outcomes,
                spans=spans,
                metrics=metrics,
                invariants=invariants,
                dead_letter_limit=self._dead_letter_limit,
                clock=clock,
                random=random,
                on_failure=self._ending.fail,
            )
        )
        self._table = parts.table
        self._dispatcher = Dispatcher(
            way=parts.way,
            table=self._table,
            holes=BrokerHoleInspector(settings.kafka, settings.skipped_records()),
            clock=clock,
            metrics=metrics,
            dead_letter_limit=self._dead_letter_limit,
            topics=settings.topics,
            skipped=settings.skipped_records(),
            spill=Spill(stores.with_name("waiting"), most=parts.way.spilled),
            in_flight=settings.max_in_flight,
            assignments=self._assignments,
            partitions=self._app,
            commits=parts.commits,
            invariants=invariants,
            on_failure=self._ending.fail,
        )
        self._assignments.add_observer(self._dispatcher)
        declare_agents(self._app, settings.topics, self._dispatcher, self._ending.fail)
        self._monitor = Monitor(
            self._app,
            self._dispatcher,
            self._table,
            assignments=self._assignments,
            gate=dialect.client.gate,
            refused=lambda: dialect.client.refused,
            faults=self._faults,
            clock=clock,
            dead_letter_limit=self._dead_letter_limit,
            metrics=metrics,
        )
        self._watchdog = Watchdog(self._monitor.vitals, clock, stall_seconds=settings.stall_seconds)
        self._server = StateServer(
            self._app,
            self._table,
            self._monitor,
            metrics,
            host=settings.worker_host,
            port=settings.worker_port,
            api_keys=settings.worker_api_keys(),
            tls=settings.worker_tls(),
            peers_tls=settings.peers_tls(),
            assignments=self._assignments,
            standing=StandingOf(
                dispatcher=self._dispatcher,
                assignments=self._assignments,
                retries=settings.topics.retries,
                hold=dialect.client.gate.hold,
                stopped=lambda: self._dead_letter_limit.passed is not None,
                not_ready=self._monitor.not_ready,
                drain=DrainOf(
                    dispatcher=self._dispatcher,
                    assignments=self._assignments,
                    gate=dialect.client.gate,
                    retries=settings.topics.retries,
                    behind=self._monitor.not_taken_up,
                    never=lambda: self._dead_letter_limit.passed or dialect.client.refused,
                    clock=clock,
                ).recent,
                url=lambda: str(self._app.conf.canonical_url),
                clock=clock,
            ),
        )
        self._client = dialect.client
        self._clock = clock
        self._ttl_seconds = settings.state_ttl_seconds

    async def run(self, stop: asyncio.Event, export: MetricsExport) -> None:
        """Start, work, and release everything in order. Raises WorkerError or SettingsError."""
        self._app.finalize()
        await self._server.start()
        start = start_line(self._settings, port=self._server.port)
        log.info("worker listening on %s", start.pop("url"), extra=start)
        exporting = asyncio.create_task(export.run(self._server.registry), name="metrics")
        try:
            await self._work(stop)
        finally:
            exporting.cancel()
            await asyncio.wait({exporting})
            await self._server.stop()
        log.info("stopped")

    async def _work(self, stop: asyncio.Event) -> None:
        starting: asyncio.Task[WorkerError | None] = asyncio.create_task(
            self._app.start(), name="faust"
        )
        watching: asyncio.Task[WorkerError | None] = asyncio.create_task(
            self._watchdog.watch(), name="watchdog"
        )
        sweeping: asyncio.Task[WorkerError | None] = asyncio.create_task(
            sweep_for_ever(self._assignments, self._table, self._clock, self._ttl_seconds),
            name="sweeper",
        )
        stopping = asyncio.create_task(stop.wait(), name="stop")
        proving: asyncio.Task[WorkerError | None] = asyncio.create_task(
            self._client.prove_credentials(), name="credentials"
        )
        probing: asyncio.Task[WorkerError | None] = asyncio.create_task(
            self._probe_producer(), name="broker probe"
        )
        reminding: asyncio.Task[WorkerError | None] = asyncio.create_task(
            self._monitor.remind_of_quiet(), name="reminder"
        )
        for task in (starting, watching, sweeping, proving, probing, reminding):
            task.add_done_callback(self._ended)
        try:
            ends: set[asyncio.Future[Any]] = {stopping, self._ending.failed}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            reason = self._ending.reason
            self._monitor.ending = str(reason or "stopping")
            if isinstance(reason, Stalled):
                log_stacks(log)
            if reason is not None:
                leave_within(LEAVE_SECONDS, str(reason))
            else:
                log.info("stopping: finishing the records in hand, giving the partitions back")
        finally:
            watching.cancel()
            sweeping.cancel()
            proving.cancel()
            probing.cancel()
            reminding.cancel()
            stopping.cancel()
        await self._leave(starting, reason)
        if reason is not None:
            raise (
                reason
                if isinstance(reason, WorkerError | SettingsError)
                else WorkerError(f"the worker met an error it has no answer to: {in_words(reason)}")
            ) from reason

    async def _probe_producer(self) -> None:
        probe = BrokerProbe(self._producer_view, (self._needs.events,), why_not=self._why_not)
        await probe.run(lambda: self._publisher.client)

    def _faults(self, assignment: Assignment | None, now: float) -> list[Fault]:
        return faults(
            self._needs,
            consumer=self._consumer_view,
            producer=self._producer_view,
            session=self._membership.session,
            held=None if assignment is None else assignment.frontiers.keys(),
            now=now,
        )

    async def _leave(
        self, starting: asyncio.Task[WorkerError | None], reason: BaseException | None
    ) -> None:
        """Give the partitions back and stop Faust. Kafka may not answer any more: outcomes whose
        offsets are not committed then are published again after the next start, and the exit code
        stays the one that is due."""
        began = self._clock.monotonic()
        if not starting.done():
            starting.cancel()
        await asyncio.wait({starting})
        stopping = asyncio.create_task(self._app.stop(), name="faust stop")
        await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        why, code = (HANGS, 0) if reason is None else (str(reason), 1)
        if stopping.done():
            leave_within(GONE_SECONDS - (self._clock.monotonic() - began), why, code=code)
            stopping.result()
        elif self._assignments.given_up:
            # Nothing is left to lose: the partitions are drained, and their offsets committed if
            # Kafka takes them.
            await self._app.leave_group()
            leave_within(LAST_SECONDS, why, code=code)

    def _ended(self, task: asyncio.Task[WorkerError | None]) -> None:
        if task.cancelled():
            return
        failure = task.exception() or task.result()
        if failure is not None:
            self._ending.fail(failure)


def _needs(settings: KafkaSettings, topics: VerifiedTopics) -> Needs:
    names = settings.topics
    return Needs(
        servers=settings.bootstrap_servers,
        principal=principal(settings),
        events=names.events,
        partitions=topics.partitions,
        alike=(names.retries, changelog(settings.app_id)),
        written=(names.outcomes, names.dead_letters),
    )
