"""A broken promise moves its counter: each is broken here on purpose, and each is looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec
import pytest
from faust.types import TP

from streams.core.records import InteractionRecord
from streams.worker import invariants
from streams.worker.metrics import Invariant
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.frontier import Frontier
from tests.support import wrap_up_model
from tests.support.conversation_desk import Cloud
from tests.support.conversation_world import (
    ConversationWorker,
    ConversationWorld,
    TableInADict,
    live,
)
from tests.support.dispatching import Dispatching
from tests.support.fetched import Fetched, in_one_run
from tests.support.incarnation import StandInTable, Worker, samples
from tests.support.world import EVENTS, World, event
from tests.support.wrap_up_model import TIMEOUT, Story, StoryLeg

# One leg, which its agent leaves without a code.
CALL = Story((StoryLeg(0, 100_000, acw_ends=60_000, code=TIMEOUT),), 100_000)


def counted(worker: Worker | ConversationWorker, invariant: Invariant) -> tuple[float, float]:
    """How often it was looked at, and found broken."""
    checks, violations = (
        worker.metrics.registry.get_sample_value(
            f"genesys_streams_invariant_{what}_total", {"invariant": invariant}
        )
        for what in ("checks", "violations")
    )
    assert checks is not None
    assert violations is not None
    return checks, violations


def broken(worker: Worker | ConversationWorker) -> float:
    return samples(worker.metrics)["genesys_streams_invariant_violations_total"]


async def test_a_worker_that_keeps_them_is_found_to() -> None:
    worker = Worker(World())
    for offset in range(3):
        await worker.process(event(offset), offset)
    worker.invariants.committing(worker.assignment, {EVENTS: 3}, ())
    assert broken(worker) == 0
    assert counted(worker, "order") == (3, 0)
    assert counted(worker, "record")[0] >= 1
    assert counted(worker, "commit") == (1, 0)


async def test_an_outcome_without_its_verdict_in_the_table(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Forgetful(StandInTable):
        async def put_all(self, *_: Any) -> None:
            """Acknowledged, and nowhere."""

    world = World()
    worker = Worker(world, table=Forgetful(world))
    await worker.process(event(1, interactionType="chat", state="completed"))
    assert len(world.outcomes) == 1
    assert counted(worker, "record") == (1, 1)
    assert "without its verdict in the table" in caplog.text


async def test_an_outcome_whose_verdict_is_another_records() -> None:
    class Late(StandInTable):
        """Has what was written before the last time."""

        async def put_all(
            self, assignment: Assignment, records: Mapping[tuple[int, str], bytes]
        ) -> None:
            before = world.records.get("i-1")
            await super().put_all(assignment, records)
            if before is not None:
                world.records["i-1"] = before

    world = World()
    worker = Worker(world, table=Late(world))
    chat = {"interactionType": "chat", "state": "completed"}
    await worker.process(event(1, **chat), 0)
    assert broken(worker) == 0
    await worker.process(event(2, **chat), 1)
    assert counted(worker, "record") == (2, 1)


async def test_a_patched_outcome_is_looked_at_too() -> None:
    class Forgetful(StandInTable):
        def get(self, partition: int, interaction_id: str) -> InteractionRecord | None:
            return None

    world = World()
    worker = Worker(world, table=Forgetful(world))
    await worker.process(event())
    assert world.outcomes[0].decision == "patched"
    assert counted(worker, "record") == (1, 1)


async def test_what_the_table_can_not_keep_is_not_looked_at() -> None:
    worker = Worker(World())
    await worker.process(b"no event")
    assert counted(worker, "record") == (0, 0)


async def test_a_call_keeps_them_too() -> None:
    events = wrap_up_model.events(CALL)
    world = ConversationWorld(cloud=Cloud(wrap_up_model.states(CALL)))
    worker = ConversationWorker(world)
    await live(worker, [(at, json.dumps(raw).encode()) for at, raw in events], Random(1))
    assert any(outcome.leg is not None for outcome in world.outcomes)
    assert broken(worker) == 0
    assert counted(worker, "record")[0] >= len(events)
    assert counted(worker, "order")[0] >= 1


async def test_an_outcome_on_a_call_without_its_result_in_the_table() -> None:
    class Forgetful(TableInADict):
        async def put_all(self, *_: Any) -> None:
            """Acknowledged, and nowhere."""

    at, raw = wrap_up_model.events(CALL)[0]
    told = json.dumps(raw).encode()
    world = ConversationWorld(cloud=Cloud([]))
    world.be_at(at)
    worker = ConversationWorker(world)
    await worker.process(told, 0)
    forgetful = ConversationWorker(world, table=Forgetful(world))
    await forgetful.process(told, 1)
    assert len(world.outcomes) == 1
    assert counted(forgetful, "record") == (1, 1)


def test_outcomes_out_of_order(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker(World())
    first, second = worker.take_up(event(1), 0), worker.take_up(event(2), 1)
    worker.invariants.published([second])
    assert broken(worker) == 0
    worker.invariants.published([first])
    assert counted(worker, "order") == (2, 1)
    assert "behind a later one of its interaction" in caplog.text


def test_the_order_in_a_group() -> None:
    worker = Worker(World())
    records = [worker.take_up(event(offset), offset) for offset in range(3)]
    worker.invariants.published([records[0], records[2], records[1]])
    assert counted(worker, "order") == (3, 1)


def test_what_was_remembered_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "REMEMBERED", 2)
    worker = Worker(World())
    early = worker.take_up(event(0), 0)
    others = [
        worker.take_up(event(1).replace(b"i-1", f"i-{number}".encode()), number)
        for number in range(2, 12)
    ]
    last = worker.take_up(event(2), 12)
    worker.invariants.published([last])
    worker.invariants.published(others[:2])
    worker.invariants.published([early])
    assert counted(worker, "order") == (4, 1)
    worker.invariants.published(others[2:6])
    worker.invariants.published(others[6:])
    kept = {**worker.invariants._published, **worker.invariants._published_before}
    assert early.lane not in kept
    assert len(kept) <= 8


def test_a_record_that_was_put_off_comes_when_its_time_has_come() -> None:
    worker = Worker(World())
    returned, later = worker.take_up(event(1), 3), worker.take_up(event(2), 7)
    worker.invariants.published([later])
    from_retries = msgspec.structs.replace(returned, tp=TP("test.retries", EVENTS.partition))
    worker.invariants.published([from_retries])
    assert broken(worker) == 0


def test_a_new_assignment_may_publish_again() -> None:
    worker = Worker(World())
    first, second = worker.take_up(event(1), 0), worker.take_up(event(2), 1)
    worker.invariants.published([first, second])
    again = msgspec.structs.replace(first, assignment=Assignment(2, {EVENTS: 0}))
    worker.invariants.published([again])
    assert broken(worker) == 0


def test_a_commit_past_a_record_that_the_frontier_has_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Hasty(Frontier):
        """Takes what is expected for what is finished."""

        @property
        def committable(self) -> int:
            return self.expected

    worker = Worker(World())
    worker.assignment.frontiers[EVENTS] = hasty = Hasty(0)
    hasty.take_up(0)
    worker.invariants.committing(worker.assignment, worker.assignment.uncommitted(), ())
    assert counted(worker, "commit") == (1, 1)
    assert "passes a record that is not finished" in caplog.text


async def test_a_commit_past_a_record_that_waits_in_memory() -> None:
    """The frontier is told of an end that never came: what waits in lanes and groups says so."""

    class Forgetful(Frontier):
        def take_up(self, offset: int) -> Any:
            arrival = super().take_up(offset)
            self.finish(offset)
            return arrival

        def finish(self, offset: int) -> None:
            if self.is_open(offset):
                super().finish(offset)

    world = World()
    worker = Worker(world)
    dispatching = Dispatching(worker)
    assignment = dispatching.begin(0)
    assignment.frontiers[EVENTS] = Forgetful(0)
    run = [Fetched(offset, event(offset)) for offset in range(3)]
    await dispatching.dispatcher.take_up(in_one_run(EVENTS, *run))
    dispatching.assignments.committing(assignment, assignment.uncommitted())
    assert counted(worker, "commit") == (1, 1)
    assert await worker.commits.drain(20)


async def test_a_commit_past_a_record_that_waits_on_the_disk() -> None:
    """No commit looks for it there: it says so itself when its time has come."""
    worker = Worker(World())
    dispatching = Dispatching(worker)
    assignment = dispatching.begin(0)
    await dispatching.dispatcher.take_up(in_one_run(EVENTS, Fetched(0, event(0))))
    (record,) = (record for record, _ in dispatching.dispatcher.lanes.entries())

    worker.invariants.waited(record)
    assert counted(worker, "commit") == (1, 0)
    assignment.frontiers[EVENTS].committed = 1
    worker.invariants.waited(record)
    assert counted(worker, "commit") == (2, 1)
    assert await worker.commits.drain(20)


def test_of_a_million_that_are_open_not_every_commit_looks_at_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Counting(Frontier):
        looked = 0

        def lowest_open(self) -> int | None:
            self.looked += 1
            return super().lowest_open()

    monkeypatch.setattr(invariants, "LOOKED_AT", 10)
    worker = Worker(World())
    frontier = Counting(0)
    for offset in range(35):
        frontier.take_up(offset)
    assignment = Assignment(1, {EVENTS: 0})
    assignment.frontiers[EVENTS] = frontier

    for _ in range(8):
        worker.invariants.committing(assignment, {EVENTS: 0}, ())
    assert frontier.looked == 2, "40 looks were saved up twice"

    for offset in range(26):
        frontier.finish(offset)
    for _ in range(3):
        worker.invariants.committing(assignment, {EVENTS: 26}, ())
    assert frontier.looked == 5
    worker.invariants.committing(assignment, {EVENTS: 27}, ())
    assert counted(worker, "commit") == (12, 1)
