"""What past events tell of conversations, and what a look would decide today."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.core.conversations.conversation import Conversation
from streams.core.conversations.events import parse_conversation_event
from streams.core.conversations.policy import WrapUpPolicy
from streams.core.conversations.record import ConversationRecord
from streams.core.records import Decision, Reason, Source
from streams.errors import ApiError, Forbidden, NotFound, ServerError
from streams.genesys.api import CallContext
from streams.operator.replay.conversations import ConversationsReading, ask_conversation
from streams.operator.replay.past import Question
from streams.operator.replay.rehearsal import Rehearsed
from tests.support.conversations import agent, as_read, conversation

POLICY = WrapUpPolicy("code-7", dry_run=True, lag_window_ms=0)
READING = ConversationsReading(POLICY)

# 09:05:30.100: the end of the after-call work, its time-out and the margin.
DUE_MS = 1_772_442_330_100


def event(name: str, **body: Any) -> bytes:
    fields = {
        "conversationId": "c-1",
        "participantId": "p-1",
        "sessionId": "call-1",
        "mediaType": "VOICE",
        "eventTime": 1_772_442_201_000,
    }
    detail_type = "v2.detail.events.conversation.{id}." + name
    return json.dumps({"detail-type": detail_type, "detail": {"eventBody": fields | body}}).encode()


def told(*events: bytes) -> ConversationRecord | None:
    known = None
    for each in events:
        read = parse_conversation_event(each)
        assert read is not None
        known = READING.told(known, read)
    return known


class Api:
    """Answers a look with what the test says."""

    def __init__(self, answer: Conversation | ApiError) -> None:
        self._answer = answer

    async def look(self, conversation_id: str, context: CallContext) -> Conversation:
        assert conversation_id == "c-1"
        if isinstance(self._answer, ApiError):
            raise self._answer
        return self._answer


async def ask(answer: Conversation | ApiError, *events: bytes, now_ms: int = DUE_MS) -> Rehearsed:
    question = Question("c-1", Source("events", 0, 7), 0, b"c-1", b"", told(*events))
    return await ask_conversation(question, Api(answer), POLICY, now_ms)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (event("user.end"), True),
        (event("customer.end"), True),
        (event("acw"), True),
        (event("outbound"), False),
        (event("user.end", mediaType="MESSAGE"), False),
        (event("user.end", mediaType="UNKNOWN"), True),
    ],
    ids=["user.end", "customer.end", "acw", "outbound", "another medium", "unknown medium"],
)
def test_the_api_is_asked_where_a_worker_would_plan_a_look(raw: bytes, *, expected: bool) -> None:
    read = READING.parse(raw)
    assert read is not None
    assert READING.asks(read, 0) is expected


async def test_each_leg_has_its_own_verdict() -> None:
    short = agent(id="p-2", connectedTime="2026-03-02T09:03:19.000Z")
    found = await ask(as_read(conversation(agent(), short)))

    assert [(leg.participant_id, verdict.reason) for leg, verdict in found.legs] == [
        ("p-1", Reason.ELIGIBLE),
        ("p-2", Reason.TOO_SHORT),
    ]
    assert found.legs[0][1].disposition_code_id == "code-7"
    assert (found.eligible, found.unanswered) == (True, False)


async def test_an_agent_that_has_time_left_is_left_to_the_workers() -> None:
    found = await ask(as_read(conversation()), now_ms=DUE_MS - 1)

    assert [verdict.decision for _, verdict in found.legs] == [Decision.NOTED]
    assert (found.eligible, found.unanswered) == (False, False)


async def test_an_event_tells_that_its_work_has_ended() -> None:
    ended = event("acw", wrapupCode="ININ-WRAP-UP-TIMEOUT")
    assert (await ask(as_read(conversation()), ended, now_ms=DUE_MS - 1)).eligible


async def test_an_event_tells_of_a_code_that_the_api_does_not_show() -> None:
    found = await ask(as_read(conversation()), event("acw", wrapupCode="chosen"))
    assert [verdict.reason for _, verdict in found.legs] == [Reason.WRAP_UP_SET]


async def test_an_event_tells_of_a_campaign() -> None:
    campaign = event("outbound", outboundCampaignId="campaign-1", participantId="customer")
    found = await ask(as_read(conversation()), campaign)
    assert [verdict.reason for _, verdict in found.legs] == [Reason.CAMPAIGN]


@pytest.mark.parametrize(
    ("answer", "reason", "unanswered"),
    [
        (
            as_read(conversation(agent(calls=[{"id": "c", "state": "connected"}]))),
            Reason.LOOK_PLANNED,
            False,
        ),
        (as_read(conversation(agent(purpose="customer"))), Reason.NO_AGENT_LEG, False),
        (NotFound("gone", status=404), Reason.NOT_FOUND, False),
        (Forbidden("no role", status=403), Reason.FORBIDDEN, True),
        (ServerError("down", status=500), Reason.SERVER_ERROR, True),
    ],
    ids=["goes on", "no agent", "not found", "forbidden", "down"],
)
async def test_what_has_no_legs_says_why(
    answer: Conversation | ApiError, reason: Reason, *, unanswered: bool
) -> None:
    found = await ask(answer)

    assert [(leg, verdict.reason) for leg, verdict in found.verdicts] == [(None, reason)]
    assert (found.eligible, found.unanswered) == (False, unanswered)
