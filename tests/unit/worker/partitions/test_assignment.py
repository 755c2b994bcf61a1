"""Promise 8: what is no longer ours, or may not be, has no effect."""

from __future__ import annotations

import asyncio

import pytest
from faust.types import TP

from streams.errors import OwnershipLost
from streams.worker.partitions.assignment import Assignment

ONE, TWO = TP("events", 1), TP("events", 2)


class Session:
    """A place in the group that a test takes away and gives back."""

    alive = True

    def __call__(self) -> bool:
        return self.alive


class WaveringSession:
    """Runs out, and is renewed by a late heartbeat's answer, between any two looks at it. It is
    alive after the looks that a test says."""

    def __init__(self, *looks: bool) -> None:
        self._looks = list(looks)

    def __call__(self) -> bool:
        return self._looks.pop(0) if self._looks else True


def test_what_is_ours_passes() -> None:
    assignment = Assignment(3, {ONE: 10}, session_alive=Session())

    assignment.check()
    assert not assignment.revoked
    assert not assignment.ending.is_set()


def test_each_partition_has_a_frontier_from_its_committed_offset() -> None:
    assignment = Assignment(3, {ONE: 10, TWO: 0})

    assert {tp: frontier.expected for tp, frontier in assignment.frontiers.items()} == {
        ONE: 10,
        TWO: 0,
    }


async def test_revoked_is_final() -> None:
    assignment = Assignment(3, {ONE: 10}, session_alive=Session())
    assignment.revoke()

    assert assignment.revoked
    assert assignment.ending.is_set()
    with pytest.raises(OwnershipLost, match="generation 3 were revoked"):
        assignment.check()
    with pytest.raises(OwnershipLost, match="generation 3 were revoked"):
        await assignment.owned()


def test_a_revocation_is_passed_on_once() -> None:
    seen: list[bool] = []
    assignment = Assignment(3, {ONE: 10}, on_revoked=lambda: seen.append(assignment.revoked))
    assignment.revoke()
    assignment.revoke()

    assert seen == [True]


def test_every_record_says_in_which_generation_it_was_written() -> None:
    assert Assignment(17, {}).headers == (("worker.generation", b"17"),)


def test_check_does_not_wait_for_a_heartbeat() -> None:
    session = Session()
    session.alive = False

    with pytest.raises(OwnershipLost, match="no heartbeat was answered"):
        Assignment(3, {ONE: 10}, session_alive=session).check()


async def test_owned_waits_until_the_heartbeat_is_answered() -> None:
    session = Session()
    session.alive = False
    owned = asyncio.create_task(Assignment(3, {ONE: 10}, session_alive=session).owned())
    await asyncio.sleep(0.12)
    assert not owned.done()

    session.alive = True
    await asyncio.wait_for(owned, 5)


@pytest.mark.parametrize(
    "looks", [(True, False), (False, True, False), (True, False, True, False), (False, False)]
)
async def test_a_session_renewed_at_the_last_moment_loses_nothing(looks: tuple[bool, ...]) -> None:
    """Nothing was revoked: the lane would go on behind the record in hand, which nobody would take
    up again."""
    assignment = Assignment(3, {ONE: 10}, session_alive=WaveringSession(*looks))

    await asyncio.wait_for(assignment.owned(), 5)


async def test_owned_gives_up_when_the_partitions_go_meanwhile() -> None:
    session = Session()
    session.alive = False
    assignment = Assignment(3, {ONE: 10}, session_alive=session)
    owned = asyncio.create_task(assignment.owned())
    await asyncio.sleep(0)

    assignment.revoke()

    with pytest.raises(OwnershipLost, match="revoked"):
        await asyncio.wait_for(owned, 5)


async def test_owned_does_not_hold_up_a_drain_with_a_dead_session() -> None:
    session = Session()
    session.alive = False
    assignment = Assignment(3, {ONE: 10}, session_alive=session)
    owned = asyncio.create_task(assignment.owned())
    await asyncio.sleep(0)

    assignment.ending.set()

    with pytest.raises(OwnershipLost, match="no heartbeat"):
        await asyncio.wait_for(owned, 5)


async def test_ending_lets_the_record_in_hand_go_on() -> None:
    assignment = Assignment(3, {ONE: 10}, session_alive=Session())
    assignment.ending.set()

    assignment.check()
    await assignment.owned()


def test_commits_only_what_has_moved() -> None:
    assignment = Assignment(3, {ONE: 10, TWO: 0})
    assert assignment.uncommitted() == {}

    for offset in (10, 11, 12):
        assignment.frontiers[ONE].take_up(offset)
    assignment.frontiers[TWO].take_up(0)
    assignment.frontiers[ONE].finish(10)
    assignment.frontiers[ONE].finish(12)
    assert assignment.uncommitted() == {ONE: 11}

    assignment.committed({ONE: 11})
    assert assignment.uncommitted() == {}

    assignment.frontiers[ONE].finish(11)
    assignment.frontiers[TWO].finish(0)
    assert assignment.uncommitted() == {ONE: 13, TWO: 1}


def test_nothing_is_committed_of_a_log_that_was_cut() -> None:
    """Its offsets mean something else in what is left of it, or nothing."""
    assignment = Assignment(3, {ONE: 10, TWO: 0})
    for tp, offset in ((ONE, 10), (TWO, 0)):
        assignment.frontiers[tp].take_up(offset)
        assignment.frontiers[tp].finish(offset)

    assignment.cut(ONE)

    assert assignment.uncommitted() == {TWO: 1}


def test_an_assignment_has_no_lives_unless_given() -> None:
    assert Assignment(3, {ONE: 10}).lives == {}
    assert Assignment(3, {ONE: 10}, lives={0: "a@1"}).lives == {0: "a@1"}
