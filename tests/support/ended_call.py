"""A call that is over: what GET says of it, and the events of its end."""

from __future__ import annotations

import uuid

import msgspec

from streams.clock import rfc3339
from streams.core.conversations.events import EventName
from streams.local.conversations.history import Communication, History, Leg, Work, shown
from streams.local.conversations.scenario import Get, Scenario, State

TALK_MS = 120_000


def ended(conversation_id: str, now_ms: int, timeout_ms: int, ago_ms: int) -> Scenario:
    """A call that ended so long ago, whose agent is given so long for work after it."""
    over = now_ms - ago_ms
    begun = over - TALK_MS
    call = Communication("communication", "voice", begun, begun, over, "peer")
    customer = Leg("customer", "customer", begun, begun, over, (call,))
    agent = Leg(
        "agent",
        "agent",
        begun,
        begun,
        over,
        (call,),
        user_id="user",
        queue_id="queue",
        prompt="timeout",
        timeout_ms=timeout_ms,
        work=Work(over),
    )
    seen = shown(History(conversation_id, "answered", (customer, agent)), now_ms)
    return Scenario(id=conversation_id, events=[], get=Get([State(rfc3339(begun / 1000), seen)]))


def told(conversation_id: str, now_ms: int, name: EventName = EventName.CUSTOMER_END) -> bytes:
    """An event of the call's end, as the bridge puts it into ``events``."""
    body = {
        "eventTime": now_ms,
        "conversationId": conversation_id,
        "participantId": "customer" if name is EventName.CUSTOMER_END else "agent",
        "sessionId": "communication",
        "mediaType": "VOICE",
    }
    about = f"v2.detail.events.conversation.{{id}}.{name}"
    identity = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{conversation_id} {name}"))
    return msgspec.json.encode(
        {"id": identity, "detail-type": about, "detail": {"eventBody": body}}
    )
