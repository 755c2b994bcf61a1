"""Events as they arrive, with whatever a test wants in them, and what is read of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.core.envelope import InteractionEvent, parse
from streams.errors import EnvelopeError

UPDATE = "purecloud:v2:interaction:update"

DETAIL: dict[str, Any] = {
    "interactionId": "11111111-2222-3333-4444-555555555555",
    "sequenceId": 7,
    "interactionType": "voice",
    "state": "completed",
}

ENVELOPE: dict[str, Any] = {
    "version": "0",
    "id": "e-1",
    "detail-type": UPDATE,
    "source": "aws.partner/genesys.com/cloud/org/suffix",
    "account": "123456789012",
    "time": "2025-12-12T15:15:07Z",
    "region": "eu-central-1",
    "resources": [],
    "detail": DETAIL,
}

BOTH_SHAPES = pytest.mark.parametrize("shape", ["enveloped", "flat"])


def body(shape: str = "enveloped", **fields: Any) -> bytes:
    """An event with these fields of the detail instead of the usual ones; None leaves one out."""
    detail = {name: value for name, value in (DETAIL | fields).items() if value is not None}
    return json.dumps(ENVELOPE | {"detail": detail} if shape == "enveloped" else detail).encode()


def around(**fields: Any) -> bytes:
    """An event with these fields of the envelope instead of the usual ones; None leaves one out."""
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    whole = {name: value for name, value in (ENVELOPE | named).items() if value is not None}
    return json.dumps(whole).encode()


def sequence(token: str) -> bytes:
    """A flat event whose sequenceId is this JSON, to the letter."""
    return b'{"interactionId":"i-1","sequenceId":%s}' % token.encode()


def event(text: bytes) -> InteractionEvent:
    parsed = parse(text)
    assert parsed is not None
    return parsed


def refusal(text: bytes) -> EnvelopeError:
    with pytest.raises(EnvelopeError) as caught:
        parse(text)
    assert_is_one_short_line(str(caught.value))
    return caught.value


def assert_is_one_short_line(message: str) -> None:
    assert 0 < len(message) <= 200
    assert message.isprintable()


def unread(token: bytes) -> bytes:
    """A good event with this JSON in members that nobody reads, above and in the detail."""
    return b'{"detail-type":"%s","x":%s,"detail":{"interactionId":"i-1","sequenceId":7,"x":%s}}' % (
        UPDATE.encode(),
        token,
        token,
    )
