"""Observes aiokafka's coordinator, which has no public way to report what it learns from heartbeats
and joins: four of its private methods are replaced."""

from __future__ import annotations

import time
from typing import Any

import aiokafka.errors
from aiokafka.protocol.group import SyncGroupRequest

from streams.worker.partitions.membership import Membership


def observe(coordinator: Any, membership: Membership) -> None:
    """Make aiokafka's coordinator report to ``membership`` what it learns of our place in the
    group."""
    heartbeat, reset = coordinator._do_heartbeat, coordinator.reset_generation
    join, send = coordinator._do_rejoin_group, coordinator._send_req

    async def do_heartbeat() -> bool:
        sent_at = time.monotonic()
        answered: bool = await heartbeat()
        if answered and not membership.vouched_for(sent_at):
            coordinator.request_rejoin()
        return answered

    async def do_rejoin_group(subscription: Any) -> bool:
        if membership.lost is not None:
            # Joining again would take the membership back from the process that has it now.
            raise aiokafka.errors.KafkaError(membership.lost)
        joined: bool = await join(subscription)
        return joined

    async def send_req(request: Any) -> Any:
        sent_at = time.monotonic()
        response = await send(request)
        # This is the last request of a join. Its answer counts as a heartbeat's: none is sent
        # during a join, and taking over the assignment afterwards may take long.
        if isinstance(request, SyncGroupRequest) and response.error_code == 0:
            membership.admitted(sent_at)
        return response

    def reset_generation() -> None:
        membership.member_reset()
        reset()

    coordinator._do_heartbeat = do_heartbeat
    coordinator._do_rejoin_group = do_rejoin_group
    coordinator._send_req = send_req
    coordinator.reset_generation = reset_generation


async def leave(coordinator: Any) -> None:
    """Leave the group as aiokafka's ``close`` does, but wait for nothing that may hang."""
    if not coordinator._closing.done():
        coordinator._closing.set_result(None)  # or it would join again at once
    await coordinator._maybe_leave_group()
