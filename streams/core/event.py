"""An event of either dialect of the API."""

from __future__ import annotations

from typing import TypeAlias

from streams.core.conversations.events import ConversationEvent, parse_conversation_event
from streams.core.envelope import InteractionEvent, parse

Event: TypeAlias = InteractionEvent | ConversationEvent


def parse_any(body: bytes) -> Event | None:
    """Read one event, whatever its dialect. None for an event of another detail-type. Raises
    EnvelopeError as ``parse`` does."""
    return parse(body) or parse_conversation_event(body)
