"""Parses the events of a conversation, and says what of them the program needs.

An event is a reason to look; the API decides. So little of it is read, and `needed` keeps no more
than that: numbers, addresses, names, notes and attributes are never stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streams.core.envelope import (
    INTERACTION_ID,
    decode_json,
    json_object,
    read_detail_type,
    read_id,
    read_text,
)
from streams.errors import EnvelopeError
from streams.timestamps import epoch_ms

# The four characters {id} stand there as they are; the real id is in the event's body.
DETAIL_TYPE_PREFIX = "v2.detail.events.conversation.{id}."

# Characters of an id or a code of Genesys Cloud. They are kept in the conversation's record, which
# has to fit into one Kafka record.
ID_MAX_LENGTH = 128

# The last millisecond of the year 9999. A later time could not be written.
LATEST_MS = 253_402_300_799_999

# What is kept of an event, if it is text. EventBridge gives ``replay-name`` to what it sends again
# out of an archive. With Genesys' CorrelationId its support finds the event.
_ENVELOPE = (
    *("version", "id", "detail-type", "detailType", "source", "account", "time", "region"),
    "replay-name",
)
_DETAIL = ("topicName", "version", "timestamp")
_METADATA = ("CorrelationId",)
_BODY = (
    *("eventTime", "conversationId", "participantId", "sessionId", "mediaType"),
    *("userId", "queueId", "wrapupCode", "outboundCampaignId"),
)
# For how long an agent talked: those of user.end that are numbers.
_TALKED = ("interactingDurationMs", "heldDurationMs")


class EventName(StrEnum):
    """The events that are taken; every other one is skipped."""

    USER_END = "user.end"
    CUSTOMER_END = "customer.end"
    ACW = "acw"
    WRAPUP = "wrapup"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class ConversationEvent:
    """One event of one conversation.

    ``event_time``: epoch milliseconds. ``medium`` is lower case. ``wrapup_code``: of acw and
    wrapup. ``campaign``: it says that the call is a campaign's. ``occurred``: the envelope's time,
    as received. ``talked_ms``: for how long the agent talked, held calls included; None when it
    does not say. All texts are bounded.
    """

    conversation_id: str
    name: EventName
    event_time: int
    participant_id: str | None
    session_id: str | None
    medium: str | None
    wrapup_code: str | None
    campaign: bool
    event_id: str | None
    occurred: str | None = None
    source: str | None = None
    user_id: str | None = None
    queue_id: str | None = None
    talked_ms: int | None = None

    @property
    def interaction_id(self) -> str:
        """What its records, and its outcomes, have for an interaction's id."""
        return self.conversation_id

    @property
    def interaction_type(self) -> str | None:
        return self.medium

    @property
    def sequence_id(self) -> None:
        """Events of conversations are not numbered."""

    @property
    def occurred_ms(self) -> int:
        """The event's own time, epoch milliseconds."""
        return self.event_time

    @property
    def identities(self) -> tuple[str, ...]:
        """Two events are the same one when they share one of these: EventBridge's id, or name,
        conversation, participant, session and time. Short, because a record keeps many."""
        told = (self.name, self.conversation_id, self.participant_id, self.session_id)
        of_content = _short("content", *told, str(self.event_time))
        return (of_content,) if not self.event_id else (_short("id", self.event_id), of_content)


def parse_conversation_event(body: bytes) -> ConversationEvent | None:
    """Read one event. None for an event that is not taken. Raises EnvelopeError as ``parse`` of
    today's events does."""
    envelope = json_object(decode_json(body), None)
    name = _name(envelope)
    if name is None:
        return None
    fields = _event_body(envelope)
    campaign = _short_text(fields, "outboundCampaignId")
    medium = _short_text(fields, "mediaType")
    return ConversationEvent(
        conversation_id=read_id(fields, "conversationId"),
        name=name,
        event_time=_event_time(fields, "eventTime"),
        participant_id=_short_text(fields, "participantId"),
        session_id=_short_text(fields, "sessionId"),
        medium=medium and medium.lower()[:ID_MAX_LENGTH],
        wrapup_code=_short_text(fields, "wrapupCode"),
        campaign=bool(campaign) or name is EventName.OUTBOUND,
        event_id=read_text(envelope, "id"),
        occurred=read_text(envelope, "time"),
        source=read_text(envelope, "source"),
        user_id=_short_text(fields, "userId"),
        queue_id=_short_text(fields, "queueId"),
        talked_ms=_talked_ms(fields),
    )


def readable_conversation_id(body: bytes) -> str | None:
    """The conversation's id in bytes that are not a valid event; None when there is none."""
    try:
        return read_id(_event_body(json_object(decode_json(body), None)), "conversationId")
    except EnvelopeError:
        return None


def needed(body: bytes) -> bytes:
    """The event without what the program does not need (BRIDGE_KEEP). ``body`` must be an event
    that ``parse_conversation_event`` takes, and reads in the result what it reads in ``body``."""
    envelope = json_object(decode_json(body), None)
    detail = json_object(envelope.get("detail"), "detail")
    kept = _texts(envelope, _ENVELOPE)
    resources = envelope.get("resources")
    if isinstance(resources, list):
        kept["resources"] = [each for each in resources if isinstance(each, str)]
    fields = _event_body(envelope)
    event_body = _texts(fields, _BODY)
    if isinstance(fields["eventTime"], int):
        event_body["eventTime"] = fields["eventTime"]
    # What is no number there may be anything, and is not read.
    event_body |= {name: fields[name] for name in _TALKED if type(fields.get(name)) is int}
    kept["detail"] = _texts(detail, _DETAIL) | {"eventBody": event_body}
    if isinstance(metadata := detail.get("metadata"), dict):
        kept["detail"]["metadata"] = _texts(metadata, _METADATA)
    return json.dumps(kept, separators=(",", ":")).encode()


def is_plain_id(text: str | None) -> bool:
    """Whether the id may go into a URL path and into a record."""
    return text is not None and INTERACTION_ID.fullmatch(text) is not None


def _texts(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Those of these fields that are text: what is nested may hold anything."""
    return {name: fields[name] for name in names if isinstance(fields.get(name), str)}


def _name(envelope: dict[str, Any]) -> EventName | None:
    detail_type = read_detail_type(envelope)
    if detail_type is None:
        raise EnvelopeError("detail-type is missing", "detail-type")
    name = detail_type.removeprefix(DETAIL_TYPE_PREFIX)
    taken = detail_type.startswith(DETAIL_TYPE_PREFIX) and name in set(EventName)
    return EventName(name) if taken else None


def _event_body(envelope: dict[str, Any]) -> dict[str, Any]:
    detail = envelope.get("detail")
    if detail is None:
        raise EnvelopeError("detail is missing", "detail")
    event_body = json_object(detail, "detail").get("eventBody")
    if event_body is None:
        raise EnvelopeError("eventBody is missing", "eventBody")
    return json_object(event_body, "eventBody")


def _short_text(fields: dict[str, Any], field: str) -> str | None:
    value = read_text(fields, field)
    if value is not None and len(value) > ID_MAX_LENGTH:
        raise EnvelopeError(f"{field} must have at most {ID_MAX_LENGTH} characters", field)
    return value or None


def _event_time(fields: dict[str, Any], field: str) -> int:
    value = fields.get(field)
    if value is None:
        raise EnvelopeError(f"{field} is missing", field)
    at = epoch_ms(value) if isinstance(value, str) else value
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= LATEST_MS:
        raise EnvelopeError(f"{field} must be epoch milliseconds or an RFC 3339 time", field)
    return at


def _talked_ms(fields: dict[str, Any]) -> int | None:
    """The sum of the parts that are numbers, if the first is one and each makes sense."""
    interacting, *others = (fields.get(name) for name in _TALKED)
    parts = [part for part in (interacting, *others) if type(part) is int]
    makes_sense = type(interacting) is int and all(0 <= part <= LATEST_MS for part in parts)
    return sum(parts) if makes_sense else None


def _short(*parts: str | None) -> str:
    """A digest of the parts: none of them can be told from it, and none can run into the next."""
    text = json.dumps(parts).encode()
    return hashlib.blake2b(text, digest_size=10).hexdigest()
