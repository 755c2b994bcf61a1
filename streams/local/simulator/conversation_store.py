"""The conversations that the simulated API knows: what GET shows of each at a time, and what was
written to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from streams.local.conversations.history import wrap_up
from streams.local.conversations.scenario import Reply, Scenario, State
from streams.timestamps import epoch_ms

_Json = dict[str, Any]

# A participant's lists of what may have a wrap-up.
_LISTS = ("calls", "callbacks", "messages", "emails", "chats")


class Write(msgspec.Struct, frozen=True, rename="camel"):
    """One wrap-up code that somebody sent. Times in epoch milliseconds; ``shows_at_ms`` is None for
    one that took no effect. ``communication_id``: of a write to one communication alone."""

    at_ms: int
    method: str
    conversation_id: str
    participant_id: str
    communication_id: str | None
    code: str
    keeps_end_time: bool
    status: int
    shows_at_ms: int | None


class _Known:
    """One conversation: its scenario, the answers of its script that are left, and its writes."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.writes: list[Write] = []
        self._always: dict[str, Reply] = {}
        self._left: dict[str, deque[Reply]] = {}
        for route, replies in (
            ("get", scenario.answers.get),
            ("patch", scenario.answers.patch),
        ):
            if isinstance(replies, Reply):
                self._always[route] = replies
            else:
                self._left[route] = deque(replies or ())

    def state(self, now_ms: int) -> State | None:
        found = None
        for state in self.scenario.get.states:
            if state.since_ms <= now_ms:
                found = state
        return found

    def reply(self, route: str) -> Reply | None:
        if (left := self._left.get(route)) is not None:
            return left.popleft() if left else None
        return self._always.get(route)


class ConversationStore:
    """Conversations by id. ``time`` gives epoch seconds."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._known: dict[str, _Known] = {}
        self.writes: list[Write] = []

    @property
    def now_ms(self) -> int:
        return round(self._time() * 1000)

    def load(self, scenarios: Iterable[Scenario]) -> None:
        """Add conversations. One that is known begins anew, without what was written to it."""
        for scenario in scenarios:
            self._known[scenario.conversation_id] = _Known(scenario)

    def reset(self) -> None:
        """Forget what was written, and begin every script anew."""
        self.writes.clear()
        self.load([known.scenario for known in self._known.values()])

    def reply(self, conversation_id: str, route: str) -> Reply | None:
        """The next answer of the script, ``get`` or ``patch``; None for the usual one."""
        known = self._known.get(conversation_id)
        return None if known is None else known.reply(route)

    def visible_after(self, conversation_id: str) -> float | None:
        """Seconds after which a write shows, as its scenario has it; None if it does not say."""
        known = self._known.get(conversation_id)
        return None if known is None else known.scenario.answers.visible_after_seconds

    def find(self, conversation_id: str) -> _Json | None:
        """The conversation as GET shows it now, with what was written laid over it; None while it
        is unknown."""
        known = self._known.get(conversation_id)
        state = None if known is None else known.state(self.now_ms)
        if known is None or state is None:
            return None
        shown = [
            write
            for write in known.writes
            if write.shows_at_ms is not None and write.shows_at_ms <= self.now_ms
        ]
        if not shown:
            return state.conversation
        return state.conversation | {
            "participants": [_laid_over(each, shown) for each in _participants(state.conversation)]
        }

    def participant(self, conversation_id: str, participant_id: str) -> _Json | None:
        """A participant as GET shows it now."""
        body = self.find(conversation_id)
        found = [] if body is None else _participants(body)
        return next((each for each in found if each.get("id") == participant_id), None)

    def write(self, write: Write) -> None:
        """Remember what was sent to a conversation that is known."""
        self._known[write.conversation_id].writes.append(write)
        self.writes.append(write)

    def written(self, conversation_id: str) -> list[Write]:
        """What was sent to one conversation, in order."""
        known = self._known.get(conversation_id)
        return [] if known is None else known.writes


def _participants(conversation: _Json) -> list[_Json]:
    return list(conversation.get("participants") or [])


def _laid_over(participant: _Json, writes: Iterable[Write]) -> _Json:
    for write in writes:
        if write.participant_id == participant.get("id"):
            participant = _with_code(participant, write)
    return participant


def _with_code(participant: _Json, write: Write) -> _Json:
    """The code on the participant, and on each communication that after-call work belongs to: both
    places have an agent's own code too."""
    saved = _saved(participant.get("wrapup"), participant.get("startAcwTime"), write)
    changed = participant | {"wrapup": saved}
    for name in _LISTS:
        if name in participant:
            changed[name] = [
                each | {"wrapup": saved} if _is_meant(each, write) else each
                for each in participant[name]
            ]
    return changed


def _is_meant(communication: _Json, write: Write) -> bool:
    if write.communication_id is not None:
        return bool(communication.get("id") == write.communication_id)
    return "afterCallWork" in communication


def _saved(before: _Json | None, start: str | None, write: Write) -> _Json:
    if before is not None and write.keeps_end_time and "endTime" in before:
        return {key: each for key, each in before.items() if key != "name"} | {"code": write.code}
    began = epoch_ms(start) if start is not None else None
    seconds = 0 if began is None else max(0, write.at_ms - began) // 1000
    return wrap_up(write.code, seconds, write.at_ms)
