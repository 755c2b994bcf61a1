"""Reads the answer to ``GET /api/v2/conversations/{id}`` into plain values, and decides nothing.

Pure: no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from streams.core.foreign_text import REPLACEMENT
from streams.genesys.answers import CODE_MAX_LENGTH, Answer
from streams.timestamps import epoch_ms

# Characters of a purpose, a state or a prompt. Those that the rules know are shorter.
WORD_MAX_LENGTH = 64

# Characters of an id. Genesys' own are UUIDs. A longer one is refused and never cut, because an id
# that was cut would name something else.
ID_MAX_LENGTH = 128

# A participant's lists of communications, and the medium of each in WRAP_UP_MEDIA's words. The
# media that can not be asked for are read too: while one is connected, nothing is over.
MEDIA = MappingProxyType(
    {
        "calls": "voice",
        "callbacks": "callback",
        "messages": "message",
        "emails": "email",
        "chats": "chat",
        "videos": "video",
        "cobrowsesessions": "cobrowse",
        "screenshares": "screenshare",
        "socialExpressions": "social",
        "internalMessages": "internal-message",
        "screenMonitorings": "screen-monitoring",
    }
)

# Where a campaign shows: Genesys' own field, and the attribute that its dialer leaves behind.
_CAMPAIGN = ("outboundCampaignId", "dialerCampaignId")

# Ten years in milliseconds. After-call work lasts an hour at most; a number beyond any sense would
# put a leg off for ever.
_LONGEST_MS = 315_360_000_000

_Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WrapUpReading:
    """A wrap-up. ``code`` may be None in a provisional one, which is not saved yet."""

    code: str | None
    provisional: bool


@dataclass(frozen=True, slots=True)
class CommunicationReading:
    """One call, message or the like of a participant. Times are epoch milliseconds."""

    id: str | None
    medium: str
    state: str
    connected_ms: int | None
    disconnected_ms: int | None
    wrap_up: WrapUpReading | None


@dataclass(frozen=True, slots=True)
class ParticipantReading:
    """One participant. Times are epoch milliseconds, None where there is none that can be read."""

    id: str
    purpose: str
    user_id: str | None
    queue_id: str | None
    connected_ms: int | None
    end_ms: int | None
    wrap_up_required: bool
    wrap_up_prompt: str | None
    wrap_up_timeout_ms: int | None
    start_acw_ms: int | None
    end_acw_ms: int | None
    wrap_up: WrapUpReading | None
    communications: tuple[CommunicationReading, ...]


@dataclass(frozen=True, slots=True)
class ConversationReading:
    """A conversation as the API shows it now. ``campaign_id``: of an outbound campaign, if one
    shows anywhere in it."""

    id: str
    start_ms: int | None
    end_ms: int | None
    campaign_id: str | None
    participants: tuple[ParticipantReading, ...]


def read_conversation(answer: Answer, conversation_id: str) -> ConversationReading:
    """Read the answer to a GET. Raises one of UNREADABLE if it is not the conversation asked for.

    What decides must be of its type. A time may hold anything: one that can not be read counts as
    missing. Other fields are not read.
    """
    if answer.status != 200:
        raise ValueError("200 was promised")
    body = answer.json()
    if not isinstance(body, dict):
        raise ValueError("an object was promised")
    if body.get("id") != conversation_id:
        raise ValueError("it is another conversation")
    participants = [_participant(answer, each) for each in _objects(body, "participants")]
    if body.get("participants") is None:
        raise ValueError("participants must be a list")
    return ConversationReading(
        id=conversation_id,
        start_ms=_time(body, "startTime"),
        end_ms=_time(body, "endTime"),
        campaign_id=_campaign(answer, body),
        participants=tuple(participants),
    )


def _participant(answer: Answer, body: _Object) -> ParticipantReading:
    participant_id = _id(answer, body, "id")
    if participant_id is None:
        raise ValueError("a participant must have an id")
    return ParticipantReading(
        id=participant_id,
        purpose=_word(answer, body, "purpose").lower(),
        user_id=_id(answer, body, "userId"),
        queue_id=_id(answer, body, "queueId"),
        connected_ms=_time(body, "connectedTime"),
        end_ms=_time(body, "endTime"),
        wrap_up_required=_flag(body, "wrapupRequired"),
        wrap_up_prompt=_word(answer, body, "wrapupPrompt") or None,
        wrap_up_timeout_ms=_milliseconds(body, "wrapupTimeoutMs"),
        start_acw_ms=_time(body, "startAcwTime"),
        end_acw_ms=_time(body, "endAcwTime"),
        wrap_up=_wrap_up(answer, body),
        communications=tuple(
            CommunicationReading(
                id=_id(answer, each, "id"),
                medium=medium,
                state=_word(answer, each, "state").lower(),
                connected_ms=_time(each, "connectedTime"),
                disconnected_ms=_time(each, "disconnectedTime"),
                wrap_up=_wrap_up(answer, each),
            )
            for medium, each in communications(body)
        ),
    )


def communications(participant: _Object) -> Iterator[tuple[str, _Object]]:
    """Each communication of a participant's JSON with its medium. Raises ValueError if a list of
    them is none."""
    for name, medium in MEDIA.items():
        for each in _objects(participant, name):
            yield medium, each


def _objects(body: _Object, name: str) -> list[_Object]:
    found = body.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ValueError(f"{name} must be a list of objects")
    return found


def _campaign(answer: Answer, body: _Object) -> str | None:
    places: list[_Object] = [body]
    for participant in _objects(body, "participants"):
        attributes = participant.get("attributes")
        places += [participant, *(each for _, each in communications(participant))]
        places += [attributes] if isinstance(attributes, dict) else []
    values = (place.get(name) for place in places for name in _CAMPAIGN)
    texts = (answer.text(each, ID_MAX_LENGTH) for each in values if isinstance(each, str))
    return next((each for each in texts if each), None)


def _wrap_up(answer: Answer, body: _Object) -> WrapUpReading | None:
    """The wrap-up, or None. A code without printable characters is not left empty, because a code
    is set."""
    wrap_up = body.get("wrapup")
    if wrap_up is None:
        return None
    if not isinstance(wrap_up, dict):
        raise ValueError("wrapup must be an object")
    code, provisional = wrap_up.get("code"), _flag(wrap_up, "provisional")
    if not isinstance(code, str | None):
        raise ValueError("a wrap-up's code must be text")
    kept = (answer.text(code, CODE_MAX_LENGTH) or REPLACEMENT) if code else None
    return WrapUpReading(kept, provisional) if kept or provisional else None


def _id(answer: Answer, body: _Object, name: str) -> str | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or answer.text(value, ID_MAX_LENGTH) != value:
        raise ValueError(f"{name} must be an id of at most {ID_MAX_LENGTH} printable characters")
    return value


def _word(answer: Answer, body: _Object, name: str) -> str:
    """A word of the API, empty if it is missing. Raises ValueError if it is not text."""
    word = body.get(name, "")
    if not isinstance(word, str | None):
        raise ValueError(f"{name} must be text")
    return answer.text(word, WORD_MAX_LENGTH) if word else ""


def _flag(body: _Object, name: str) -> bool:
    """Whether it is true; missing is false. Raises ValueError if it is not a boolean."""
    value = body.get(name)
    if not isinstance(value, bool | None):
        raise ValueError(f"{name} must be true or false")
    return bool(value)


def _milliseconds(body: _Object, name: str) -> int | None:
    value = body.get(name)
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    return round(min(max(value, 0.0), _LONGEST_MS))


def _time(body: _Object, name: str) -> int | None:
    text = body.get(name)
    return epoch_ms(text) if isinstance(text, str) else None
