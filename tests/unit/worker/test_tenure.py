"""Promise 8: what is no longer ours, or may not be, has no effect."""

from __future__ import annotations

import asyncio

import pytest
from faust.types import TP

from streams.errors import OwnershipLost
from streams.worker.tenure import Tenure

ONE, TWO = TP("events", 1), TP("events", 2)


class Session:
    """A place in the group that a test takes away and gives back."""

    alive = True

    def __call__(self) -> bool:
        return self.alive


def test_what_is_ours_passes() -> None:
    tenure = Tenure(3, {ONE: 10}, session_alive=Session())

    tenure.check()
    assert not tenure.revoked
    assert not tenure.ending.is_set()


def test_each_partition_has_a_frontier_from_its_committed_offset() -> None:
    tenure = Tenure(3, {ONE: 10, TWO: 0})

    assert {tp: frontier.expected for tp, frontier in tenure.frontiers.items()} == {ONE: 10, TWO: 0}


async def test_revoked_is_final() -> None:
    tenure = Tenure(3, {ONE: 10}, session_alive=Session())
    tenure.revoke()

    assert tenure.revoked
    assert tenure.ending.is_set()
    with pytest.raises(OwnershipLost, match="generation 3 were revoked"):
        tenure.check()
    with pytest.raises(OwnershipLost, match="generation 3 were revoked"):
        await tenure.owned()


def test_a_revocation_is_told_once() -> None:
    told: list[bool] = []
    tenure = Tenure(3, {ONE: 10}, on_revoked=lambda: told.append(tenure.revoked))
    tenure.revoke()
    tenure.revoke()

    assert told == [True]


def test_every_record_says_in_which_generation_it_was_written() -> None:
    assert Tenure(17, {}).headers == (("worker.generation", b"17"),)


def test_check_does_not_wait_for_a_heartbeat() -> None:
    session = Session()
    session.alive = False

    with pytest.raises(OwnershipLost, match="no heartbeat was answered"):
        Tenure(3, {ONE: 10}, session_alive=session).check()


async def test_owned_waits_until_the_heartbeat_is_answered() -> None:
    session = Session()
    session.alive = False
    owned = asyncio.create_task(Tenure(3, {ONE: 10}, session_alive=session).owned())
    await asyncio.sleep(0.12)
    assert not owned.done()

    session.alive = True
    await asyncio.wait_for(owned, 5)


async def test_owned_gives_up_when_the_partitions_go_meanwhile() -> None:
    session = Session()
    session.alive = False
    tenure = Tenure(3, {ONE: 10}, session_alive=session)
    owned = asyncio.create_task(tenure.owned())
    await asyncio.sleep(0)

    tenure.revoke()

    with pytest.raises(OwnershipLost, match="revoked"):
        await asyncio.wait_for(owned, 5)


async def test_owned_does_not_hold_up_a_drain_with_a_dead_session() -> None:
    session = Session()
    session.alive = False
    tenure = Tenure(3, {ONE: 10}, session_alive=session)
    owned = asyncio.create_task(tenure.owned())
    await asyncio.sleep(0)

    tenure.ending.set()

    with pytest.raises(OwnershipLost, match="no heartbeat"):
        await asyncio.wait_for(owned, 5)


async def test_ending_lets_the_record_in_hand_go_on() -> None:
    tenure = Tenure(3, {ONE: 10}, session_alive=Session())
    tenure.ending.set()

    tenure.check()
    await tenure.owned()


def test_commits_only_what_has_moved() -> None:
    tenure = Tenure(3, {ONE: 10, TWO: 0})
    assert tenure.uncommitted() == {}

    for offset in (10, 11, 12):
        tenure.frontiers[ONE].take_up(offset)
    tenure.frontiers[TWO].take_up(0)
    tenure.frontiers[ONE].finish(10)
    tenure.frontiers[ONE].finish(12)
    assert tenure.uncommitted() == {ONE: 11}

    tenure.committed({ONE: 11})
    assert tenure.uncommitted() == {}

    tenure.frontiers[ONE].finish(11)
    tenure.frontiers[TWO].finish(0)
    assert tenure.uncommitted() == {ONE: 13, TWO: 1}


def test_nothing_is_committed_of_a_log_that_was_cut() -> None:
    """Its offsets mean something else in what is left of it, or nothing."""
    tenure = Tenure(3, {ONE: 10, TWO: 0})
    for tp, offset in ((ONE, 10), (TWO, 0)):
        tenure.frontiers[tp].take_up(offset)
        tenure.frontiers[tp].finish(offset)

    tenure.cut(ONE)

    assert tenure.uncommitted() == {TWO: 1}


def test_a_tenure_has_no_lives_unless_told() -> None:
    assert Tenure(3, {ONE: 10}).lives == {}
    assert Tenure(3, {ONE: 10}, lives={0: "a@1"}).lives == {0: "a@1"}
