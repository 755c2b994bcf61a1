"""Which assignment is the current one, and in which order it begins and ends."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from faust.types import TP

from streams.errors import OwnershipLost
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.starting_point import Start

ONE, RETRIES = TP("events", 1), TP("retries", 1)


class Owner:
    """Has Assignments, observes them, and keeps a journal of all that it is called with."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.alive = True
        self.committed = True
        self.assignments = Assignments(
            events=ONE.topic,
            session_alive=lambda: self.alive,
            fence=lambda: self.journal.append("fenced"),
        )
        self.assignments.add_observer(self)

    def begin(self, generation: int = 1, **offsets: int) -> Assignment:
        starts = {ONE: Start(offsets.get("at", 5), "life"), RETRIES: Start(0, "another")}
        return self.assignments.begin(generation, starts)

    async def end(self) -> None:
        await self.assignments.end(self.commit)

    def begin_assignment(self, assignment: Assignment) -> None:
        self.journal.append(f"{assignment.generation} begins")

    async def end_assignment(self, assignment: Assignment) -> None:
        assert not assignment.revoked
        assert not self.assignments.given_up
        self.journal.append(f"{assignment.generation} is drained")

    def committing(self, assignment: Assignment, offsets: Mapping[TP, int]) -> None:
        self.journal.append(f"about to commit {[*offsets.values()]}")

    async def commit(self) -> bool:
        assert self.assignments.current is not None
        assert not self.assignments.current.revoked
        assert self.assignments.given_up, "whether Kafka takes the commit or not"
        self.journal.append("committed")
        return self.committed


@pytest.fixture
def owner() -> Owner:
    return Owner()


async def test_before_the_first_there_is_nothing(owner: Owner) -> None:
    assignments = owner.assignments
    assert (
        assignments.current,
        assignments.in_force,
        assignments.begun,
        assignments.held_in(1),
    ) == (None, None, 0, None)
    assert assignments.given_up
    assert assignments.taken_up() == {}

    assignments.revoke()
    await owner.end()

    assert owner.journal == []


def test_each_who_asks_gets_the_same_one(owner: Owner) -> None:
    assignment = owner.begin()

    assignments = owner.assignments
    assert assignments.current is assignments.in_force is assignments.held_in(1) is assignment
    assert (assignments.begun, owner.journal) == (1, ["1 begins"])
    assert not assignments.given_up


def test_it_goes_on_where_the_log_is_to_be_read_from(owner: Owner) -> None:
    assignment = owner.begin(at=7)

    committed: Mapping[TP, int] = {
        tp: frontier.committed for tp, frontier in assignment.frontiers.items()
    }
    assert committed == {ONE: 7, RETRIES: 0}
    assert assignment.lives == {ONE.partition: "life"}, "of events alone"


def test_it_asks_the_session(owner: Owner) -> None:
    assignment = owner.begin()
    owner.alive = False

    with pytest.raises(OwnershipLost, match="no heartbeat"):
        assignment.check()


def test_a_second_seek_in_a_generation_keeps_it(owner: Owner) -> None:
    assignment = owner.begin(at=5)

    assert owner.begin(at=900) is assignment
    assert owner.journal == ["1 begins"]


def test_one_that_was_revoked_does_not_come_back_in_its_generation(owner: Owner) -> None:
    before = owner.begin()
    owner.assignments.revoke()
    assert owner.assignments.held_in(1) is None

    assert owner.begin() is not before
    assert owner.journal == ["1 begins", "fenced", "1 begins"]


def test_the_one_before_has_no_effect_once_the_next_begins(owner: Owner) -> None:
    before = owner.begin(1)
    after = owner.begin(2)

    assert before.revoked
    assert owner.assignments.current is after
    assert owner.assignments.begun == 2
    assert owner.journal == ["1 begins", "fenced", "2 begins"]


async def test_it_is_drained_then_committed_then_revoked(owner: Owner) -> None:
    assignment = owner.begin()

    await owner.end()
    await owner.end()

    assert owner.journal == ["1 begins", "1 is drained", "committed", "fenced"]
    assert assignment.revoked
    assert owner.assignments.given_up


async def test_it_is_revoked_although_its_commit_fails(owner: Owner) -> None:
    assignment = owner.begin()

    async def fail() -> bool:
        raise RuntimeError("no broker")

    with pytest.raises(RuntimeError):
        await owner.assignments.end(fail)

    assert assignment.revoked


def test_what_is_taken_up_is_known_while_it_is_ours(owner: Owner) -> None:
    assignment = owner.begin()
    assignment.frontiers[ONE].take_up(5)
    assert owner.assignments.taken_up() == {ONE: 6, RETRIES: 0}

    assignment.ending.set()

    assert owner.assignments.taken_up() == {}
    assert owner.assignments.in_force is None
    assert owner.assignments.current is assignment, "its lanes may still end"
