"""A conversation as the API's GET describes it: what is needed of it, read with tolerance.

Any field may be null or missing, and unknown ones are passed over. Only a body that is not the
conversation, or has a field of another type, is refused. Ids that may not go into a URL path or a
record, and times that can not be read, count as missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from streams.core.conversations.events import ID_MAX_LENGTH, is_plain_id
from streams.core.foreign_text import foreign_text
from streams.errors import BadRequest
from streams.timestamps import epoch_ms

AGENT = "agent"

# States in which a communication is over.
_ENDED = frozenset({"disconnected", "terminated"})

# Characters of what is said about a body that can not be read.
_WHY_LENGTH = 300

# The lists of a participant's communications, by medium. A leg with communications of several media
# is one of the first of them: a callback's leg has a call as well, and was routed as a callback.
_MEDIA = {
    "callback": "callbacks",
    "voice": "calls",
    "message": "messages",
    "email": "emails",
    "chat": "chats",
    "video": "videos",
}


@dataclass(frozen=True, slots=True)
class WrapUp:
    """A wrap-up as it stands there. ``provisional``: picked, and not saved yet."""

    code: str | None
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Communication:
    """One connection of a participant. ``live``: neither disconnected nor terminated. Times are
    epoch milliseconds."""

    id: str | None
    medium: str
    live: bool
    connected_at: int | None = None
    ended_at: int | None = None
    wrap_up: WrapUp | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """One participant. ``wrapup_prompt`` and ``wrapup_timeout_ms``: how long its agent has for the
    after-call work. Times are epoch milliseconds."""

    id: str | None
    purpose: str | None
    user_id: str | None = None
    queue_id: str | None = None
    connected_at: int | None = None
    ended_at: int | None = None
    wrapup_required: bool = False
    wrapup_prompt: str | None = None
    wrapup_timeout_ms: int | None = None
    acw_started_at: int | None = None
    acw_ended_at: int | None = None
    wrap_up: WrapUp | None = None
    communications: tuple[Communication, ...] = ()

    @property
    def wrap_ups(self) -> tuple[WrapUp, ...]:
        """All of its wrap-ups, its own and those of its communications."""
        found = (self.wrap_up, *(each.wrap_up for each in self.communications))
        return tuple(each for each in found if each is not None)

    @property
    def shows_end_of_acw(self) -> bool:
        """Whether the API shows that the after-call work is over, or was never open."""
        return self.acw_ended_at is not None or any(not each.provisional for each in self.wrap_ups)

    @property
    def connected_from(self) -> int | None:
        """When it was connected; None when it never was."""
        times = [self.connected_at, *(each.connected_at for each in self.communications)]
        return times[0] if times[0] is not None else _first(times)

    @property
    def ended(self) -> int | None:
        """When it ended; None when no time is given."""
        if self.ended_at is not None:
            return self.ended_at
        return _last(each.ended_at for each in self.communications)

    @property
    def routed(self) -> Communication | None:
        """The communication that the participant was routed for: of the first medium in our order,
        the one that was connected last."""
        for medium in _MEDIA:
            found = [each for each in self.communications if each.medium == medium]
            if found:
                return max(found, key=lambda each: each.connected_at or -1)
        return None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation. ``ended_at``: epoch milliseconds."""

    id: str
    ended_at: int | None
    participants: tuple[Participant, ...]

    @property
    def over(self) -> bool:
        """Whether it is over (contract)."""
        return self.ended_at is not None or not any(
            communication.live
            for participant in self.participants
            for communication in participant.communications
        )

    @property
    def latest(self) -> int:
        """The latest time at which something ended; 0 without any. Events of no later time tell
        nothing that is not shown here."""
        return _last([self.ended_at, *(each.ended for each in self.participants)]) or 0

    @property
    def legs(self) -> tuple[Participant, ...]:
        """The participants whose code may be set: agents, with an id."""
        return tuple(each for each in self.participants if each.purpose == AGENT and each.id)

    def participant(self, participant_id: str) -> Participant | None:
        return next((each for each in self.participants if each.id == participant_id), None)


def _first(times: Iterable[int | None]) -> int | None:
    return min((time for time in times if time is not None), default=None)


def _last(times: Iterable[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)


class _WrapUp(msgspec.Struct, rename="camel"):
    code: str | None = None
    provisional: bool | None = None


class _Communication(msgspec.Struct, rename="camel"):
    id: str | None = None
    state: str | None = None
    connected_time: str | None = None
    disconnected_time: str | None = None
    wrapup: _WrapUp | None = None


class _Participant(msgspec.Struct, rename="camel"):
    id: str | None = None
    purpose: str | None = None
    user_id: str | None = None
    queue_id: str | None = None
    connected_time: str | None = None
    end_time: str | None = None
    wrapup_required: bool | None = None
    wrapup_prompt: str | None = None
    wrapup_timeout_ms: int | float | None = None
    start_acw_time: str | None = None
    end_acw_time: str | None = None
    wrapup: _WrapUp | None = None
    calls: list[_Communication | None] | None = None
    callbacks: list[_Communication | None] | None = None
    chats: list[_Communication | None] | None = None
    emails: list[_Communication | None] | None = None
    messages: list[_Communication | None] | None = None
    videos: list[_Communication | None] | None = None


class _Conversation(msgspec.Struct, rename="camel"):
    id: str | None = None
    end_time: str | None = None
    participants: list[_Participant | None] | None = None


_decode = msgspec.json.Decoder(_Conversation).decode


def read_conversation(
    body: bytes, conversation_id: str, *, status: int = 200, correlation_id: str | None = None
) -> Conversation:
    """Read the body of a successful GET. Raises BadRequest when it is not this conversation.
    ``status``, ``correlation_id``: of the answer, for the error."""
    try:
        found = _decode(body)
        if found.id not in (None, conversation_id):
            raise msgspec.ValidationError("it is another conversation")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = foreign_text(str(error), _WHY_LENGTH)
        raise BadRequest(
            f"GET conversation {conversation_id}: {status} with a body that is not the "
            f"conversation ({why}); check GENESYS_CLOUD_BASE_URL, GENESYS_API and the proxies on "
            "the way",
            status=status,
            correlation_id=correlation_id,
        ) from None
    participants = tuple(_participant(each) for each in found.participants or () if each)
    return Conversation(conversation_id, epoch_ms(found.end_time), participants)


def _participant(found: _Participant) -> Participant:
    timeout = found.wrapup_timeout_ms
    return Participant(
        id=plain_id(found.id),
        purpose=found.purpose and found.purpose.lower(),
        user_id=plain_id(found.user_id),
        queue_id=plain_id(found.queue_id),
        connected_at=epoch_ms(found.connected_time),
        ended_at=epoch_ms(found.end_time),
        wrapup_required=bool(found.wrapup_required),
        wrapup_prompt=found.wrapup_prompt,
        wrapup_timeout_ms=int(timeout) if timeout is not None and 0 <= timeout < 2**53 else None,
        acw_started_at=epoch_ms(found.start_acw_time),
        acw_ended_at=epoch_ms(found.end_acw_time),
        wrap_up=_wrap_up(found.wrapup),
        communications=tuple(
            _communication(each, medium)
            for medium, name in _MEDIA.items()
            for each in getattr(found, name) or ()
            if each
        ),
    )


def _communication(found: _Communication, medium: str) -> Communication:
    return Communication(
        id=plain_id(found.id),
        medium=medium,
        live=(found.state or "").lower() not in _ENDED,
        connected_at=epoch_ms(found.connected_time),
        ended_at=epoch_ms(found.disconnected_time),
        wrap_up=_wrap_up(found.wrapup),
    )


def _wrap_up(found: _WrapUp | None) -> WrapUp | None:
    """A code that is too long to be one of Genesys Cloud's is cut: it counts all the same."""
    if found is None:
        return None
    return WrapUp(
        foreign_text(found.code, ID_MAX_LENGTH) if found.code else None, bool(found.provisional)
    )


def plain_id(text: str | None) -> str | None:
    """The id, or None if it is none that may be kept and sent."""
    return text if is_plain_id(text) else None
