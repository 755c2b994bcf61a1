"""What the membership learns from heartbeats and joins, and how the group is left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace

import aiokafka.errors
import pytest
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

from streams.worker.partitions.coordinator import leave, observe
from streams.worker.partitions.membership import Membership


@dataclass
class Response:
    """To any request."""

    error_code: int


class Coordinator:
    """aiokafka's, as far as it is observed. What it does takes ``seconds``."""

    def __init__(self, now: list[float]) -> None:
        self._now = now
        self.seconds = 0.0
        self.error_code = 0
        self.joins = self.resets = self.rejoins_requested = 0

    async def _do_heartbeat(self) -> bool:
        return (await self._send_req(HeartbeatRequest("group", 1, "member"))).error_code == 0

    async def _do_rejoin_group(self, subscription: object) -> bool:
        self.joins += 1
        self._now[0] += 60  # for the others to join
        response = await self._send_req(SyncGroupRequest("group", 1, "member", None, []))
        return response.error_code == 0

    async def _send_req(self, request: object) -> Response:
        self._now[0] += self.seconds
        return Response(self.error_code)

    def request_rejoin(self) -> None:
        self.rejoins_requested += 1

    def reset_generation(self) -> None:
        self.resets += 1


@pytest.fixture
def coordinator(now: list[float]) -> Coordinator:
    return Coordinator(now)


async def test_an_answered_heartbeat_vouches(coordinator: Coordinator, now: list[float]) -> None:
    membership = Membership(10.0, static=False)
    observe(coordinator, membership)
    for _ in range(3):
        now[0] += 9
        await coordinator._do_heartbeat()

    assert membership.session_alive()
    assert coordinator.rejoins_requested == 0


async def test_a_failed_heartbeat_does_not(coordinator: Coordinator, now: list[float]) -> None:
    membership = Membership(10.0, static=False)
    observe(coordinator, membership)
    now[0] += 9
    coordinator.error_code = 16

    await coordinator._do_heartbeat()
    now[0] += 1

    assert not membership.session_alive()


async def test_a_heartbeat_answered_after_the_session_has_it_join_again(
    coordinator: Coordinator, now: list[float]
) -> None:
    membership = Membership(10.0, static=False)
    observe(coordinator, membership)
    now[0] += 10

    assert await coordinator._do_heartbeat()

    assert not membership.session_alive()
    assert coordinator.rejoins_requested == 1


async def test_a_join_vouches_from_its_last_request(
    coordinator: Coordinator, now: list[float]
) -> None:
    """However long the join took before it, and not from when it was answered."""
    membership = Membership(10.0, static=False)
    observe(coordinator, membership)
    coordinator.seconds = 9.0

    assert await coordinator._do_rejoin_group(None)

    assert membership.session_alive()
    now[0] += 1
    assert not membership.session_alive()


async def test_a_join_that_fails_at_the_end_does_not(coordinator: Coordinator) -> None:
    membership = Membership(10.0, static=False)
    observe(coordinator, membership)
    coordinator.error_code = 27

    assert not await coordinator._do_rejoin_group(None)

    assert not membership.session_alive()


async def test_a_member_fenced_for_good_does_not_join_again(coordinator: Coordinator) -> None:
    """It would take the membership back from the process that has it now."""
    membership = Membership(10.0, static=True)
    observe(coordinator, membership)

    coordinator.reset_generation()

    assert coordinator.resets == 1
    with pytest.raises(aiokafka.errors.KafkaError, match="WORKER_INSTANCE_ID"):
        await coordinator._do_rejoin_group(None)
    assert coordinator.joins == 0


async def test_a_member_that_leaves_does_not_join_again() -> None:
    """To leave resets the member, upon which a coordinator that is not closing joins at once."""
    closed_when_it_left: list[bool] = []
    closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def maybe_leave_group() -> None:
        closed_when_it_left.append(closing.done())

    leaver = SimpleNamespace(_closing=closing, _maybe_leave_group=maybe_leave_group)

    await leave(leaver)
    await leave(leaver)

    assert closed_when_it_left == [True, True]
