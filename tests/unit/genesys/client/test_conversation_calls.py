"""The client of the ``conversations`` API, on a scripted one."""

from __future__ import annotations

import json

import pytest

from streams.errors import RateLimited, ServerError, WrapUpClosed
from streams.genesys.api import CallContext
from tests.support.conversations import LEG, conversation, conversations_at
from tests.support.scripted import LeapingClock, Reply, ScriptedGenesys, drop, reply


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_code_is_accepted(
    genesys: ScriptedGenesys, clock: LeapingClock, status: int
) -> None:
    genesys.script.append(reply(status, b""))
    async with conversations_at(genesys.url, clock) as client:
        assert await client.set_code(LEG, "code-1", CallContext()) == status
    (request,) = genesys.received
    assert (request.method, request.raw_path) == (
        "PATCH",
        "/api/v2/conversations/c-1/participants/p-1",
    )
    assert json.loads(request.body) == {"wrapup": {"code": "code-1", "disableEndTimeUpdates": True}}


async def test_a_429_is_waited_out_and_sent_again(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script.extend([reply(429, {}, Retry_After="1"), reply(202, b"")])
    context = CallContext()
    async with conversations_at(genesys.url, clock) as client:
        assert await client.set_code(LEG, "code-1", context) == 202
    assert (context.calls, context.attempts) == (2, 2)
    assert sum(clock.slept) >= 1


async def test_a_wait_of_hours_is_no_lanes_wait(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.script.append(reply(429, {}, Retry_After="7200"))
    async with conversations_at(genesys.url, clock) as client:
        with pytest.raises(RateLimited) as caught:
            await client.look("c-1", CallContext())
    assert caught.value.retry_after == 7200


@pytest.mark.parametrize("answer", [reply(500, {}), reply(409, {})])
async def test_a_write_in_doubt_is_not_sent_again(
    genesys: ScriptedGenesys, clock: LeapingClock, answer: Reply
) -> None:
    genesys.usual = answer
    async with conversations_at(genesys.url, clock) as client:
        with pytest.raises(ServerError) as caught:
            await client.set_code(LEG, "code-1", CallContext())
    assert caught.value.maybe_applied
    assert len(genesys.received) == 1


async def test_a_look_is_tried_again(genesys: ScriptedGenesys, clock: LeapingClock) -> None:
    genesys.script.extend([reply(503, {}), drop, reply(200, conversation())])
    context = CallContext()
    async with conversations_at(genesys.url, clock) as client:
        reading = await client.look("c-1", context)
    assert reading.participants[0].id == "p-1"
    assert context.attempts == 3


async def test_a_wrap_up_that_is_closed_is_asked_for_once(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    code = "conversation.error.participant.no.active.conversations"
    genesys.usual = reply(400, {"code": code, "message": "no"})
    async with conversations_at(genesys.url, clock) as client:
        with pytest.raises(WrapUpClosed):
            await client.set_code(LEG, "code-1", CallContext())
    assert len(genesys.received) == 1
