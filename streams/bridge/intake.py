"""Judges a body, however it came. Plain functions: no sockets, no Kafka, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from streams.clock import rfc3339
from streams.core.conversations.events import (
    needed,
    parse_conversation_event,
    readable_conversation_id,
)
from streams.core.envelope import parse, readable_interaction_id
from streams.core.records import Reason
from streams.errors import EnvelopeError
from streams.wire.dead_letters import DeadLetter, Stage

JSON = "application/json"

# BRIDGE_KEEP: what is stored of a conversation's event.
Keep: TypeAlias = Literal["needed", "all"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event for the ``events`` topic. ``interaction_id``: its key, which is the conversation's
    id in the dialect ``conversations``. ``value``: the bytes to store. ``interaction_type`` is
    lower case."""

    interaction_id: str
    value: bytes = field(repr=False)
    event_id: str | None
    source: str | None
    interaction_type: str | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An event of another detail-type, which the bridge does not handle."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are not an event. ``field``: path of the wrong field, None when the whole is
    wrong. ``interaction_id``: the interaction that the bytes are about, where it can be read."""

    error: str
    field: str | None
    interaction_id: str | None = None

    def dead_letter(self, body: bytes, now: float) -> DeadLetter:
        """The record for ``dead-letters``, bytes untouched. ``now``: seconds since the epoch.

        Its key is the interaction's id, so that a search for the interaction finds its refused
        bodies.
        """
        return DeadLetter(
            key=self.interaction_id.encode() if self.interaction_id is not None else None,
            value=body,
            reason=Reason.MALFORMED,
            message=self.error,
            stage=Stage.BRIDGE,
            attempts=1,
            failed_at=rfc3339(now),
        )


# Reads a body. Never raises, whatever the bytes.
Judge: TypeAlias = Callable[[bytes], Accepted | Skipped | Malformed]


def judge_of(dialect: str, keep: Keep) -> Judge:
    """How bodies are judged with this GENESYS_API and this BRIDGE_KEEP."""
    if dialect == "interactions":
        return judge_interaction
    return judge_and_keep_all if keep == "all" else judge_conversation


def judge_interaction(body: bytes) -> Accepted | Skipped | Malformed:
    """Judge by the dialect ``interactions``. An event is stored byte for byte."""
    try:
        event = parse(body)
    except EnvelopeError as exc:
        return Malformed(str(exc), exc.field, readable_interaction_id(body))
    if event is None:
        return Skipped()
    return Accepted(
        event.interaction_id, body, event.event_id, event.source, event.interaction_type
    )


def judge_and_keep_all(body: bytes) -> Accepted | Skipped | Malformed:
    """Judge by the dialect ``conversations``. An event is stored byte for byte."""
    try:
        event = parse_conversation_event(body)
    except EnvelopeError as exc:
        return Malformed(str(exc), exc.field, readable_conversation_id(body))
    if event is None:
        return Skipped()
    return Accepted(event.conversation_id, body, event.event_id, event.source, event.medium)


def judge_conversation(body: bytes) -> Accepted | Skipped | Malformed:
    """Judge by the dialect ``conversations``. What an event tells of people is not stored."""
    judged = judge_and_keep_all(body)
    if isinstance(judged, Accepted):
        return replace(judged, value=needed(body))
    return judged
