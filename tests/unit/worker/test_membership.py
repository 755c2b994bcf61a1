"""Our place in the group: how long it is believed in, and when it is lost for good."""

from __future__ import annotations

import aiokafka.errors
import pytest

from streams.worker.membership import Membership, listen


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Monotonic time; tests set its one element."""
    time = [1000.0]
    monkeypatch.setattr("streams.worker.membership.time.monotonic", lambda: time[0])
    return time


def test_session_ends_without_an_answer(now: list[float]) -> None:
    membership = Membership(10.0, static=False)
    now[0] += 9.9
    assert membership.session_alive()

    now[0] += 0.2
    assert not membership.session_alive()


def test_session_counts_from_when_the_heartbeat_left(now: list[float]) -> None:
    """The broker may have taken it at any time since: a process frozen in between knows nothing."""
    membership = Membership(10.0, static=False)
    left = now[0]
    now[0] += 60

    membership.vouched_for(left)

    assert not membership.session_alive()
    membership.vouched_for(now[0])
    assert membership.session_alive()


def test_dynamic_member_joins_again(now: list[float]) -> None:
    membership = Membership(10.0, static=False)

    membership.member_reset()

    assert membership.lost is None


def test_static_member_fenced_in_its_session_is_out_for_good(now: list[float]) -> None:
    membership = Membership(10.0, static=True)
    now[0] += 5

    membership.member_reset()

    assert membership.lost is not None
    assert "WORKER_INSTANCE_ID" in membership.lost


def test_static_member_whose_session_ran_out_joins_again(now: list[float]) -> None:
    membership = Membership(10.0, static=True)
    now[0] += 11

    membership.member_reset()

    assert membership.lost is None


class Coordinator:
    """aiokafka's, as far as it is listened to. What it does takes ``seconds``."""

    def __init__(self, now: list[float]) -> None:
        self._now = now
        self.seconds = 0.0
        self.succeeds = True
        self.joins = 0
        self.resets = 0

    async def _do_heartbeat(self) -> bool:
        self._now[0] += self.seconds
        return self.succeeds

    async def _do_rejoin_group(self, subscription: object) -> bool:
        self.joins += 1
        self._now[0] += self.seconds
        return self.succeeds

    def reset_generation(self) -> None:
        self.resets += 1


@pytest.fixture
def coordinator(now: list[float]) -> Coordinator:
    return Coordinator(now)


async def test_an_answered_heartbeat_vouches(coordinator: Coordinator, now: list[float]) -> None:
    membership = Membership(10.0, static=False)
    listen(coordinator, membership)
    now[0] += 60

    await coordinator._do_heartbeat()

    assert membership.session_alive()


async def test_a_failed_heartbeat_does_not(coordinator: Coordinator, now: list[float]) -> None:
    membership = Membership(10.0, static=False)
    listen(coordinator, membership)
    now[0] += 60
    coordinator.succeeds = False

    await coordinator._do_heartbeat()

    assert not membership.session_alive()


async def test_a_join_vouches_from_when_it_set_out(
    coordinator: Coordinator, now: list[float]
) -> None:
    """No heartbeat runs in a join: one that ends after the session is no proof of it."""
    membership = Membership(10.0, static=False)
    listen(coordinator, membership)
    coordinator.seconds = 11.0

    assert await coordinator._do_rejoin_group(None)
    assert not membership.session_alive()

    coordinator.seconds = 1.0
    assert await coordinator._do_rejoin_group(None)
    assert membership.session_alive()


async def test_a_member_fenced_for_good_does_not_join_again(coordinator: Coordinator) -> None:
    """It would take the membership back from the process that has it now."""
    membership = Membership(10.0, static=True)
    listen(coordinator, membership)

    coordinator.reset_generation()

    assert coordinator.resets == 1
    with pytest.raises(aiokafka.errors.KafkaError, match="WORKER_INSTANCE_ID"):
        await coordinator._do_rejoin_group(None)
    assert coordinator.joins == 0
