"""Reads the answer to ``GET /api/v2/conversations/{id}`` into the core's values. Pure: no I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from streams.core.conversations.conversation import (
    Communication,
    Conversation,
    Participant,
    WrapUp,
    plain_id,
)
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


def read_conversation(answer: Answer, conversation_id: str) -> Conversation:
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
    return Conversation(
        id=conversation_id,
        ended_at=_time(body, "endTime"),
        participants=tuple(participants),
        campaign=_campaign(answer, body),
    )


def _participant(answer: Answer, body: _Object) -> Participant:
    participant_id = _id(answer, body, "id")
    if participant_id is None:
        raise ValueError("a participant must have an id")
    return Participant(
        id=plain_id(participant_id),
        purpose=_word(answer, body, "purpose").lower(),
        user_id=plain_id(_id(answer, body, "userId")),
        queue_id=plain_id(_id(answer, body, "queueId")),
        connected_at=_time(body, "connectedTime"),
        ended_at=_time(body, "endTime"),
        wrapup_required=_flag(body, "wrapupRequired"),
        wrapup_prompt=_word(answer, body, "wrapupPrompt") or None,
        wrapup_timeout_ms=_milliseconds(body, "wrapupTimeoutMs"),
        acw_started_at=_time(body, "startAcwTime"),
        acw_ended_at=_time(body, "endAcwTime"),
        wrap_up=_wrap_up(answer, body),
        communications=tuple(
            Communication(
                id=plain_id(_id(answer, each, "id")),
                medium=medium,
                state=_word(answer, each, "state").lower(),
                connected_at=_time(each, "connectedTime"),
                ended_at=_time(each, "disconnectedTime"),
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


def _campaign(answer: Answer, body: _Object) -> bool:
    places: list[_Object] = [body]
    for participant in _objects(body, "participants"):
        attributes = participant.get("attributes")
        places += [participant, *(each for _, each in communications(participant))]
        places += [attributes] if isinstance(attributes, dict) else []
    values = (place.get(name) for place in places for name in _CAMPAIGN)
    texts = (answer.text(each, ID_MAX_LENGTH) for each in values if isinstance(each, str))
    return any(texts)


def _wrap_up(answer: Answer, body: _Object) -> WrapUp | None:
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
    return WrapUp(kept, provisional) if kept or provisional else None


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
