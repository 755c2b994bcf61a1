"""The routes of a conversation: Genesys Cloud's public API, as its documents and its SDK say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from streams.local.conversations.scenario import Reply
from streams.local.simulator import answers
from streams.local.simulator.call import Call
from streams.local.simulator.conversation_store import ConversationStore, Write
from streams.timestamps import epoch_ms

_encode = msgspec.json.Encoder().encode

READ_PERMISSION = "conversation:communication:view"
WRITE_PERMISSIONS = (
    "conversation:participant:wrapup",
    "conversation:call:record",
    "conversation:communication:disconnect",
)

# The least that the client's role needs, and what doctor asks for beyond it. The two others above
# open the same PATCH to more than a code, so nobody is to grant them.
GRANTED = frozenset(
    {READ_PERMISSION, WRITE_PERMISSIONS[0], "routing:wrapupCode:view", "routing:queue:view"}
)

_NO_PARTICIPANT = (
    "conversation.error.not.conversation.participant",
    "User is not a participant in the conversation.",
)
_NO_CODE = (
    "conversation.error.wrapup.code.required",
    "Wrapup code is a required field and cannot be empty.",
)
_NO_USER = (
    "not.a.user",
    "This request requires a user context. Client credentials cannot be used for requests to this "
    "resource.",
)
_CLOSED = (
    "conversation.error.participant.no.active.conversations",
    "Participant has no active conversations",
)


class _WrapUp(msgspec.Struct, rename="camel"):
    """WrapupInput. ``code`` may be missing: Genesys has an error of its own for that."""

    code: str = ""
    disable_end_time_updates: bool = False


class _Posted(_WrapUp):
    """WrapupInput, as Genesys' SDK posts it, or one inside ``wrapup``, as the worker does."""

    wrapup: _WrapUp | None = None


class _Participant(msgspec.Struct):
    """MediaParticipantRequest, of which a wrap-up alone is simulated."""

    wrapup: _WrapUp


class Org(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What nobody outside can know of an org, to be tried both ways.

    ``visible_after_seconds``: a write shows so late, where its scenario does not say.
    ``closes_after_seconds``: no code is taken so long after a participant's end; None: always.
    ``needs_user``: no write is taken from client credentials. ``missing_permissions``: those of
    GRANTED that the client was not given. ``wrap_up_codes``: names by id; None: every id is one.
    """

    visible_after_seconds: float = 0.0
    closes_after_seconds: float | None = None
    needs_user: bool = False
    missing_permissions: frozenset[str] = frozenset()
    wrap_up_codes: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if self.visible_after_seconds < 0 or (self.closes_after_seconds or 0) < 0:
            raise ValueError("visibleAfterSeconds and closesAfterSeconds must be at least 0")


class Conversations:
    """The effects of the conversations' routes. ``time`` gives epoch seconds; ``took_effect`` is
    called with the conversation of each write that did."""

    def __init__(self, time: Callable[[], float], took_effect: Callable[[str], None]) -> None:
        self.store = ConversationStore(time)
        self.org = Org()
        self._took_effect = took_effect

    def reset(self) -> None:
        """Everything as at the start; the conversations stay."""
        self.org = Org()
        self.store.reset()

    async def get(self, call: Call) -> web.Response:
        """``GET /api/v2/conversations/{conversation_id}``."""
        if refused := self.forbidden(call, READ_PERMISSION):
            return refused
        reply = self.store.reply(call.subject, "get")
        if reply is not None and reply.status >= 300:
            return _scripted(call, reply)
        body = self.store.find(call.subject)
        if body is None:
            return answers.error(404, call.correlation_id, headers=call.limits)
        return answers.success(_encode(body), call.correlation_id, call.limits)

    async def patch_participant(self, call: Call) -> web.Response:
        """``PATCH /api/v2/conversations/{conversation_id}/participants/{participant_id}``."""
        return await self._write(call, "participant")

    async def patch_call(self, call: Call) -> web.Response:
        """The same below ``conversations/calls``: for users alone."""
        if not call.user:
            return _refuse(call, 400, _NO_USER)
        return await self._write(call, "call")

    async def post_wrap_up(self, call: Call) -> web.Response:
        """``POST …/participants/{participant_id}/communications/{communication_id}/wrapup``."""
        return await self._write(call, "communication")

    def forbidden(self, call: Call, *any_of: str) -> web.Response | None:
        """403 if the client was given none of these permissions."""
        if set(any_of) & (GRANTED - self.org.missing_permissions):
            return None
        message = (
            "Unable to perform the requested action. You must have at least one of the following "
            f"permissions assigned: [{', '.join(any_of)}]"
        )
        return answers.error(403, call.correlation_id, message=message, headers=call.limits)

    async def _write(self, call: Call, method: str) -> web.Response:
        posts = method == "communication"
        if refused := self.forbidden(call, *(WRITE_PERMISSIONS[: 1 if posts else None])):
            return refused
        if call.request.content_type != "application/json":
            return answers.error(415, call.correlation_id, headers=call.limits)
        try:
            content = await call.request.read()
            if posts:
                posted = msgspec.json.decode(content, type=_Posted)
                wrap_up = posted.wrapup or posted
            else:
                wrap_up = msgspec.json.decode(content, type=_Participant).wrapup
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            return answers.error(400, call.correlation_id, message=str(exc), headers=call.limits)
        return self._take(call, method, wrap_up)

    def _take(self, call: Call, method: str, wrap_up: _WrapUp) -> web.Response:
        of = call.request.match_info
        participant = self.store.participant(call.subject, of["participant_id"])
        if self.store.find(call.subject) is None:
            return answers.error(404, call.correlation_id, headers=call.limits)
        if participant is None:
            return _refuse(call, 404, _NO_PARTICIPANT)
        if not wrap_up.code:
            return _refuse(call, 400, _NO_CODE)
        reply = self.store.reply(call.subject, "patch")
        if reply is not None:
            answer = _scripted(call, reply)
        elif self.org.needs_user and not call.user:
            answer = _refuse(call, 400, _NO_USER)
        elif self._is_closed(participant):
            answer = _refuse(call, 400, _CLOSED)
        else:
            answer = answers.accepted(call.correlation_id, call.limits)
        self._remember(call, method, wrap_up, answer.status)
        return answer

    def _is_closed(self, participant: dict[str, Any]) -> bool:
        ended = participant.get("endTime")
        patience = self.org.closes_after_seconds
        if patience is None or ended is None:
            return False
        return self.store.now_ms > _ms(ended) + patience * 1000

    def _remember(self, call: Call, method: str, wrap_up: _WrapUp, status: int) -> None:
        of = call.request.match_info
        after = self.store.visible_after(call.subject)
        if after is None:
            after = self.org.visible_after_seconds
        now_ms = self.store.now_ms
        taken = status < 300
        self.store.write(
            Write(
                at_ms=now_ms,
                method=method,
                conversation_id=call.subject,
                participant_id=of["participant_id"],
                communication_id=of.get("communication_id"),
                code=wrap_up.code,
                keeps_end_time=wrap_up.disable_end_time_updates,
                status=status,
                shows_at_ms=now_ms + round(after * 1000) if taken else None,
            )
        )
        if taken:
            self._took_effect(call.subject)


def _ms(text: str) -> int:
    return epoch_ms(text) or 0


def _refuse(call: Call, status: int, why: tuple[str, str]) -> web.Response:
    code, message = why
    return answers.error(
        status, call.correlation_id, code=code, message=message, headers=call.limits
    )


def _scripted(call: Call, reply: Reply) -> web.Response:
    """An answer of a scenario's script, its body as it is."""
    if reply.body is None and reply.status < 300:
        return answers.accepted(call.correlation_id, call.limits)
    if reply.body is None:
        return answers.error(reply.status, call.correlation_id, headers=call.limits)
    return answers.of_any(reply.status, _encode(reply.body), call.correlation_id, call.limits)
