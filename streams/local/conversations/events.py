"""The events that EventBridge delivers of one conversation, in the order of arrival: mostly that of
happening, some twice, some late."""

from __future__ import annotations

import uuid
from random import Random
from typing import Any

from streams.clock import rfc3339
from streams.local.conversations.history import (
    CENTRE_ADDRESS,
    CUSTOMER_ADDRESS,
    DIVISION_ID,
    Communication,
    History,
    Leg,
)

# More often than EventBridge is likely to, so that a hundred conversations show each.
_TWICE = 0.06
_PUBLISHED_AGAIN = 0.03
_LATE = 0.08

# EventBridge has an event about half a second after it happened.
_ON_THE_WAY_MS = 400

_REGION = "eu-central-1"
_ACCOUNT = "111122223333"
_SOURCE = "aws.partner/genesys.com/cloud/5e1f0a52-3b7c-4d0a-9c53-6d6f4a0b7c11/streams"

# REST's words for the end of a leg, where those of the events are not the same in capitals.
_DISCONNECTS = {
    "transfer.consult": "CONSULT_TRANSFER",
    "transfer.conference": "CONFERENCE_TRANSFER",
    "transfer.noanswer": "NO_ANSWER_TRANSFER",
}

_Body = dict[str, Any]


def events(history: History, random: Random) -> list[dict[str, Any]]:
    """The envelopes of one conversation as they arrive."""
    happened = sorted(_happened(history), key=lambda each: each[0])
    arriving: list[tuple[float, dict[str, Any]]] = []
    for at_ms, name, body in happened:
        envelope = _envelope(history, name, at_ms, body, random)
        arrives = at_ms + _ON_THE_WAY_MS
        if random.random() < _LATE:
            arrives += random.randrange(1_000, 90_000)
        arriving.append((arrives, envelope))
        if random.random() < _TWICE:
            arriving.append((arrives + random.randrange(1, 20_000), envelope))
        if random.random() < _PUBLISHED_AGAIN:
            again = envelope | {"id": _uuid(random)}
            arriving.append((arrives + random.randrange(1_000, 60_000), again))
    # Only by time: two of one time keep the order in which they were made.
    return [envelope for _, envelope in sorted(arriving, key=lambda each: each[0])]


def _happened(history: History) -> list[tuple[int, str, _Body]]:
    found: list[tuple[int, str, _Body]] = []
    for leg in history.legs:
        for one in leg.communications:
            body = _common(leg, one)
            if leg.purpose in ("customer", "external"):
                found += _of_customer(history, leg, one, body)
            elif leg.purpose == "acd":
                outcome = "ABANDON" if one.disconnect != "transfer" else "ANSWERED"
                ended = body | _ended(one) | {"acdOutcome": outcome}
                found.append((one.end_ms, "acd.end", ended))
            elif leg.purpose in ("agent", "user") and one.routed:
                found += _of_user(leg, one, body)
    return found


def _of_customer(
    history: History, leg: Leg, one: Communication, body: _Body
) -> list[tuple[int, str, _Body]]:
    lasted = one.end_ms - (one.connected_ms or one.end_ms)
    ended = body | _ended(one) | {"interactingDurationMs": lasted}
    found = [(one.start_ms, "customer.start", body), (one.end_ms, "customer.end", ended)]
    if history.campaign_id is not None:
        found.append((one.start_ms, "outbound", body | {"outboundCampaignId": history.campaign_id}))
    return found


def _of_user(leg: Leg, one: Communication, body: _Body) -> list[tuple[int, str, _Body]]:
    body = body | {"userId": leg.user_id, "divisionId": DIVISION_ID}
    if leg.queue_id is not None:
        body["queueId"] = leg.queue_id
    connected = one.end_ms if one.connected_ms is None else one.connected_ms
    lengths = {
        "interactingDurationMs": one.end_ms - connected,
        "heldDurationMs": 0,
        "alertingDurationMs": connected - one.start_ms,
    }
    found = [
        (one.start_ms, "user.start", body),
        (one.end_ms, "user.end", body | _ended(one) | lengths),
    ]
    work = leg.work
    if work is not None and work.end_ms is not None and work.told:
        of_work = {
            "wrapupCode": work.code,
            "wrapupNotes": "",
            "wrapupDurationMs": work.end_ms - work.start_ms,
        }
        without_division = {key: each for key, each in body.items() if key != "divisionId"}
        found.append((work.end_ms, "acw", without_division | of_work))
    return found


def _common(leg: Leg, one: Communication) -> _Body:
    body: _Body = {
        "participantId": leg.id,
        "sessionId": one.id,
        "mediaType": one.medium.upper(),
        "provider": "Edge" if one.medium == "voice" else "PureCloud Messaging",
        "direction": one.direction.upper(),
        "conversationExternalContactIds": [],
    }
    if one.medium == "voice":
        body |= {"ani": CUSTOMER_ADDRESS, "dnis": CENTRE_ADDRESS}
    return body


def _ended(one: Communication) -> _Body:
    return {"disconnectType": _DISCONNECTS.get(one.disconnect, one.disconnect.upper())}


def _envelope(
    history: History, name: str, at_ms: int, body: _Body, random: Random
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": _uuid(random),
        "detail-type": f"v2.detail.events.conversation.{{id}}.{name}",
        "source": _SOURCE,
        "account": _ACCOUNT,
        "time": rfc3339((at_ms + _ON_THE_WAY_MS) / 1000),
        "region": _REGION,
        "resources": [],
        "detail": {
            "topicName": f"v2.detail.events.conversation.{history.id}.{name}",
            "version": "2",
            "eventBody": {"eventTime": at_ms, "conversationId": history.id, **body},
            "metadata": {"CorrelationId": _uuid(random)},
            "timestamp": rfc3339((at_ms + _ON_THE_WAY_MS) / 1000),
        },
    }


def _uuid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))
