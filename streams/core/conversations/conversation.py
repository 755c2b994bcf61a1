"""A conversation as the API shows it, made into plain values (``genesys/conversation_reading.py``).

Ids that may not go into a URL path or a record, and times that can not be read, count as missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streams.core.conversations.events import is_plain_id

AGENT = "agent"

# States in which a communication is over.
_ENDED = frozenset({"disconnected", "terminated"})

# The media that a leg is routed for. A leg with communications of several media is one of the first
# of them: a callback's leg has a call as well, and was routed as a callback.
_ROUTED = ("callback", "voice", "message", "email", "chat", "video")


@dataclass(frozen=True, slots=True)
class WrapUp:
    """A wrap-up as it stands there. ``provisional``: picked, and not saved yet."""

    code: str | None
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class Communication:
    """One connection of a participant. ``state`` is lower case. Times are epoch milliseconds."""

    id: str | None
    medium: str
    state: str
    connected_at: int | None = None
    ended_at: int | None = None
    wrap_up: WrapUp | None = None

    @property
    def live(self) -> bool:
        """Whether it is neither disconnected nor terminated."""
        return self.state not in _ENDED


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
        for medium in _ROUTED:
            found = [each for each in self.communications if each.medium == medium]
            if found:
                return max(found, key=lambda each: each.connected_at or -1)
        return None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation. ``ended_at``: epoch milliseconds. ``campaign``: the id of a campaign shows
    anywhere in it."""

    id: str
    ended_at: int | None
    participants: tuple[Participant, ...]
    campaign: bool = False

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


def plain_id(text: str | None) -> str | None:
    """The id, or None if it is none that may be kept and sent."""
    return text if is_plain_id(text) else None
