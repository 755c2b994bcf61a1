"""What the watchdog, the metrics and the health endpoints get of the worker's state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from faust.tables.manager import TableManager
from faust.types import TP
from prometheus_client import CollectorRegistry

from streams.core.retry_policy import LONGEST_QUIET
from streams.errors import UnreadableRecords
from streams.genesys.gate import Turn
from streams.kafka.settings import KafkaSettings, TopicNames
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.dispatcher import Dispatcher
from streams.worker.health.kafka_faults import Fault
from streams.worker.health.monitor import REMIND_SECONDS, Monitor
from streams.worker.metrics import WorkerMetrics
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.consumer import SourceConsumer, StreamsApp
from streams.worker.partitions.starting_point import Start
from streams.worker.state.table import InteractionTable
from tests.support.incarnation import samples
from tests.support.scripted import LeapingClock, gate_of
from tests.support.workers import eventually

A, B = TP("events", 0), TP("events", 1)


class StandInConsumer(SourceConsumer):
    """Says what a test has written down."""

    def __init__(self) -> None:
        self.fatal: str | None = None
        self.unfetched: dict[TP, int] = {}
        self.ends: dict[TP, int] = {}

    def fatal_error(self) -> str | None:
        return self.fatal

    def behind(self, tp: TP) -> int:
        return self.unfetched.get(tp, 0)

    def end(self, tp: TP) -> int | None:
        return self.ends.get(tp)

    def __repr__(self) -> str:
        return "consumer"


class StandInTables(TableManager):
    def __init__(self) -> None:
        self.left = 0

    @property
    def recovery(self) -> Any:
        return SimpleNamespace(active_remaining_total=lambda: self.left)


@dataclass
class Body:
    """The parts that a Monitor looks at."""

    consumer: StandInConsumer = field(default_factory=StandInConsumer)
    tables: StandInTables = field(default_factory=StandInTables)
    lanes: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(in_flight=0, backlog=0))
    clock: LeapingClock = field(default_factory=LeapingClock)
    waiting: list[object] = field(default_factory=list)
    table: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(size=42, failure=None))

    def __post_init__(self) -> None:
        self.refused: str | None = None
        self.faults: list[Fault] = []
        self.assignments = Assignments(
            events=A.topic, session_alive=lambda: True, fence=lambda: None
        )
        self.assignment = self.assignments.begin(1, {A: Start(5, ""), B: Start(0, "")})
        self.app = SimpleNamespace(
            crash_reason=None,
            kafka_settings=KafkaSettings("127.0.0.1:1", TopicNames("shop."), "shop", 60.0),
            _consumer=self.consumer,
            tables=self.tables,
        )
        self.dispatcher = SimpleNamespace(lanes=self.lanes, waiting=self.waiting, held=())
        self.gate = gate_of(self.clock)
        self.dead_letter_limit = DeadLetterLimit(0.5)
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.monitor = Monitor(
            cast(StreamsApp, self.app),
            cast(Dispatcher, self.dispatcher),
            cast(InteractionTable[Any], self.table),
            assignments=self.assignments,
            gate=self.gate,
            refused=lambda: self.refused,
            faults=lambda assignment, now: self.faults,
            clock=self.clock,
            dead_letter_limit=self.dead_letter_limit,
            metrics=self.metrics,
        )


@pytest.fixture
def body() -> Body:
    return Body()


def test_idle(body: Body) -> None:
    vitals = body.monitor.vitals()

    assert (vitals.fatal, vitals.broken, vitals.crashed, vitals.excuse) == (None,) * 4
    assert vitals.assignment
    assert vitals.waiting == 0
    assert body.monitor.not_ready() is None


def test_records_in_hand_wait(body: Body) -> None:
    body.assignment.frontiers[A].take_up(5)
    body.assignment.frontiers[B].take_up(0)

    assert body.monitor.vitals().waiting == 2


def test_records_that_were_never_fetched_wait_too(body: Body) -> None:
    """A consumer that fetches no more is a corpse as well."""
    body.consumer.unfetched = {A: 4}

    assert body.monitor.vitals().waiting == 4


def test_finishing_and_taking_up_are_progress(body: Body) -> None:
    before = body.monitor.vitals().progress
    body.assignment.frontiers[A].take_up(5)
    begun = body.monitor.vitals().progress
    body.assignment.frontiers[A].finish(5)

    assert before < begun < body.monitor.vitals().progress


def test_finishing_behind_one_that_waits_is_progress(body: Body) -> None:
    """Put off for an hour, say, while others come and go."""
    for offset in range(5, 8):
        body.assignment.frontiers[A].take_up(offset)
    before = body.monitor.vitals().progress
    body.assignment.frontiers[A].finish(6)

    assert body.assignment.frontiers[A].committable == 5
    assert body.monitor.vitals().progress > before


def test_a_new_assignment_is_progress(body: Body) -> None:
    before = body.monitor.vitals().progress

    body.assignments.begin(2, {A: Start(5, ""), B: Start(0, "")})

    assert body.monitor.vitals().progress > before


async def test_a_paused_gate_is_an_excuse_for_who_waits_at_it(body: Body) -> None:
    body.gate.pause(10)
    # Whatever records wait for then, it is not the gate.
    assert body.monitor.vitals().excuse is None

    lane = asyncio.create_task(body.gate.enter(Turn.GET, "i-1"))
    await asyncio.sleep(0)
    assert body.monitor.vitals().excuse is not None

    body.clock.now += 11
    with await lane:
        assert body.monitor.vitals().excuse is None


def test_too_many_failures_make_it_unfit_and_do_not_end_it(body: Body) -> None:
    """Ended, it would be started again, and fail as many more."""
    body.dead_letter_limit.passed = "40 of the last 40 records failed"

    assert body.monitor.not_ready() == "40 of the last 40 records failed"
    assert body.monitor.vitals().excuse is not None


def test_records_put_off_do_not_wait_for_anybody(body: Body) -> None:
    body.assignment.frontiers[A].take_up(5)
    body.waiting.append("a record")

    assert body.monitor.vitals().waiting == 0
    assert body.monitor.vitals().excuse is None


def test_partitions_held_back_hide_no_records(body: Body) -> None:
    body.consumer.unfetched = {A: 4, B: 2}
    body.dispatcher.held = (A,)

    assert body.monitor.vitals().waiting == 2


@pytest.mark.parametrize("gone", ["none", "ending", "revoked"])
def test_without_partitions_it_is_not_ready(body: Body, gone: str) -> None:
    if gone == "none":
        body.assignments._current = None
    elif gone == "ending":
        body.assignment.ending.set()
    else:
        body.assignment.revoke()
    body.tables.left = 7

    vitals = body.monitor.vitals()

    assert not vitals.assignment
    assert (vitals.waiting, vitals.restoring) == (0, 7)
    assert body.monitor.not_ready() == "no partitions are assigned yet"


def test_what_is_fatal_is_reported_at_once(body: Body) -> None:
    body.consumer.fatal = "fenced"
    assert body.monitor.vitals().fatal == "fenced"
    assert body.monitor.not_ready() == "fenced"


def test_what_can_not_be_read_is_reported_at_once(body: Body) -> None:
    body.consumer.unreadable = UnreadableRecords("events/3: offset 17 can not be read")
    assert body.monitor.vitals().broken is body.consumer.unreadable
    assert body.monitor.not_ready() == "events/3: offset 17 can not be read"


def test_a_crash_is_reported_at_once(body: Body) -> None:
    body.app.crash_reason = RuntimeError("thread died")
    assert body.monitor.not_ready() == "RuntimeError: thread died"


def test_a_refusal_that_crashes_faust_names_the_principal(body: Body) -> None:
    """aiokafka names the topic alone."""
    failure = KafkaError("Unexpected error during data retrieval")
    failure.__cause__ = TopicAuthorizationFailedError({"shop.retries", "shop.events"})
    body.app.crash_reason = failure
    reason = body.monitor.not_ready()
    assert reason is not None
    assert reason.startswith(
        "User:ANONYMOUS may not Read topic shop.events, Read topic shop.retries; "
    )


def test_before_the_consumer_is_made(body: Body) -> None:
    body.app._consumer = None
    body.assignments._current = None

    assert body.monitor.vitals().fatal is None


def test_a_quiet_of_hours_makes_it_unfit_and_says_until_when(body: Body) -> None:
    body.gate.pause(LONGEST_QUIET)
    assert body.monitor.not_ready() is None

    body.gate.pause(86_400)
    reason = body.monitor.not_ready()
    assert reason is not None
    assert "no requests until 2025-12-13T15:15:07.000Z" in reason
    body.clock.now += 1.3
    assert body.monitor.not_ready() == reason

    body.clock.now += 86_400 - LONGEST_QUIET
    assert body.monitor.not_ready() is None


async def test_a_quiet_of_hours_is_logged_again_and_again(
    body: Body, caplog: pytest.LogCaptureFixture
) -> None:
    body.gate.pause(3 * REMIND_SECONDS + LONGEST_QUIET)
    reminding = asyncio.create_task(body.monitor.remind_of_quiet())
    await eventually(lambda: len(body.clock.slept) > 10, 10, "it has looked ten times")
    reminding.cancel()

    lines = [record.getMessage() for record in caplog.records]
    reminders = [line for line in lines if line.startswith("still no requests")]
    assert len(reminders) == 2
    assert "Retry-After" in reminders[0]


def test_credentials_that_are_refused_make_it_unfit(body: Body) -> None:
    body.refused = "the secret is wrong"

    assert body.monitor.not_ready() == "the secret is wrong"
    body.monitor.refresh_gauges()
    assert samples(body.metrics)["genesys_streams_worker_ready"] == 0


def test_lag_counts_what_was_never_taken_up_as_well(body: Body) -> None:
    """A worker that takes nothing up has a backlog all the same."""
    body.consumer.ends = {A: 13, B: 0}

    body.monitor.refresh_gauges()

    assert samples(body.metrics)["genesys_streams_frontier_lag_records"] == 8


def test_the_reason_to_end_comes_first(body: Body) -> None:
    body.monitor.ending = "stopping"

    assert body.monitor.not_ready() == "stopping"


def test_gauges(body: Body) -> None:
    body.assignment.frontiers[A].take_up(5)
    body.lanes.in_flight, body.lanes.backlog = 2, 7

    body.monitor.refresh_gauges()

    found = samples(body.metrics)
    assert found["genesys_streams_in_flight"] == 2
    assert found["genesys_streams_lanes_waiting"] == 5
    assert found["genesys_streams_state_interactions"] == 42
    assert found["genesys_streams_frontier_lag_records"] == 1


def test_lag_of_partitions_given_up_is_shown_no_more(body: Body) -> None:
    body.monitor.refresh_gauges()
    body.assignments._current = None

    body.monitor.refresh_gauges()

    assert "genesys_streams_frontier_lag_records" not in samples(body.metrics)


def test_what_is_wrong_with_kafka_makes_it_unfit_once_it_has_lasted(body: Body) -> None:
    body.faults = [Fault("silent for {seconds}", body.clock.monotonic(), 15.0, 50.0)]
    assert body.monitor.vitals().faults == body.faults
    assert body.monitor.not_ready() is None

    body.clock.now += 16

    assert body.monitor.not_ready() == "silent for 16 s"
