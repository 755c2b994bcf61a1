"""Events of a conversation as EventBridge has them, with whatever a test wants in them."""

from __future__ import annotations

import json
from typing import Any

PREFIX = "v2.detail.events.conversation.{id}."

BODY: dict[str, Any] = {
    "eventTime": 1_765_552_507_657,
    "conversationId": "c-1",
    "participantId": "p-1",
    "sessionId": "s-1",
    "mediaType": "VOICE",
    "wrapupCode": "code-7",
    "userId": "u-1",
    "queueId": "q-1",
    "interactingDurationMs": 60_000,
    "heldDurationMs": 500,
    "ani": "tel:+12025550123",
    "dnis": "tel:+12025550199",
    "addressFrom": "private-address",
    "addressTo": "private-address",
    "callbackUserName": "private-name",
    "callbackNumbers": ["private-number"],
    "subject": "private-subject",
    "wrapupNotes": "private-notes",
    "attributes": {"note": "private-attribute"},
    "conversationExternalContactIds": ["private-contact"],
}
ENVELOPE: dict[str, Any] = {
    "version": "0",
    "id": "e-1",
    "detail-type": f"{PREFIX}user.end",
    "source": "aws.partner/genesys.com/cloud/org/suffix",
    "account": "210987654321",
    "time": "2025-12-12T15:15:07Z",
    "region": "eu-central-1",
    "resources": [],
}


def raw(name: str = "user.end", /, envelope: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """An event with these fields of the body instead of the usual ones; None leaves one out."""
    body = {key: value for key, value in (BODY | fields).items() if value is not None}
    whole = ENVELOPE | {"detail-type": f"{PREFIX}{name}", "detail": {"eventBody": body}}
    return json.dumps(whole | (envelope or {})).encode()
