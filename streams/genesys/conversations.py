"""The ``conversations`` dialect: Genesys Cloud's public API (contract, Conversations)."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from urllib.parse import quote

import msgspec
from yarl import URL

from streams.core.conversations.conversation import Conversation
from streams.core.foreign_text import foreign_text
from streams.errors import ApiError, BadRequest, Forbidden, ServerError, WrapUpClosed
from streams.genesys.answers import DETAIL_MAX_LENGTH, UNREADABLE, Answer, complaint
from streams.genesys.conversation_reading import read_conversation
from streams.genesys.settings import WrapUpMethod
from streams.genesys.status_errors import describe, error_of, facts
from streams.genesys.transport import Request

READ_PERMISSION = "conversation:communication:view"
WRITE_PERMISSION = "conversation:participant:wrapup"

# A medium's own routes. The generic route, that of the method ``participant``, knows no medium.
FAMILIES = MappingProxyType(
    {
        "voice": "calls",
        "callback": "callbacks",
        "message": "messages",
        "email": "emails",
    }
)

# Genesys puts this before most of its codes about conversations.
_PREFIX = "conversation.error."

# What a 400 says when a wrap-up is taken no more: neither waiting nor another code helps.
CLOSED = frozenset({"participant.no.active.conversations", "call.disconnected"})

_NO_CODE = frozenset({"wrapup.code.required", "missing.wrapup.code"})

_NO_PERMISSION = (
    "a permission is missing: give the OAuth client a role with {}, in the divisions of the queues "
    "whose conversations are coded; where the org enforces scopes, GENESYS_CLOUD_SCOPES too"
)
_CLOSED_MEANING = "Genesys Cloud takes no wrap-up code for this leg any more; it is left as it is"
_NO_CODE_MEANING = "Genesys Cloud knows no such wrap-up code; check DISPOSITION_CODE_ID"
_NO_USER_MEANING = (
    "this request needs a user's token, and client credentials have no user: set "
    "WRAP_UP_METHOD=participant, or GENESYS_CLOUD_REFRESH_TOKEN for a user's grant"
)
_NO_PARTICIPANT_MEANING = (
    "the conversation was there a moment ago, so either this leg is gone or the token belongs to "
    "nobody in the conversation: check with genesys-streams doctor --conversation, and see "
    "GENESYS_CLOUD_REFRESH_TOKEN and WRAP_UP_METHOD"
)
_CHANGED_MEANING = "the conversation was being changed at that moment; look again"


@dataclass(frozen=True, slots=True)
class LegAddress:
    """One leg, as a request names it. ``communication_id`` is needed by one method alone."""

    conversation_id: str
    participant_id: str
    communication_id: str | None
    medium: str


class Conversations:
    """The dialect named ``conversations``. ``keep_end_time``: a late code leaves the end of the
    wrap-up, and so the handle time in reports, as it was."""

    name = "conversations"

    def __init__(self, method: WrapUpMethod, *, keep_end_time: bool) -> None:
        self._method = method
        self._keep_end_time = keep_end_time

    def get_request(self, base: URL, conversation_id: str) -> Request:
        """The request that reads one conversation."""
        return Request(
            method="GET",
            url=_url(base, conversation_id),
            route="/api/v2/conversations/{id}",
            what=f"GET conversation {conversation_id}",
            permission=READ_PERMISSION,
        )

    def write_request(self, base: URL, leg: LegAddress, code: str) -> Request:
        """The request that sets a leg's wrap-up code by the method of the settings.

        Raises BadRequest for a leg that this method can not name.
        """
        path, route = self._path(leg)
        # Nothing else may be in the body: the API tries an action for each further property.
        wrap_up: dict[str, object] = {"code": code}
        if self._keep_end_time:
            wrap_up["disableEndTimeUpdates"] = True
        # The contract has one body for all three methods. Genesys' SDK sends the inner object alone
        # (WrapupInput) in the POST: if an org refuses ours there, this is where to change it.
        method = "POST" if self._method == "communication" else "PATCH"
        return Request(
            method=method,
            url=_url(base, *path),
            route=f"/api/v2/conversations/{route}",
            what=f"{method} wrap-up of participant {leg.participant_id} in conversation "
            f"{leg.conversation_id}",
            permission=WRITE_PERMISSION,
            changes=True,
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode({"wrapup": wrap_up}),
        )

    def read_conversation(self, answer: Answer, conversation_id: str) -> Conversation:
        """Read the answer to a GET. Raises BadRequest if it is not the conversation asked for."""
        try:
            return read_conversation(answer, conversation_id)
        except UNREADABLE as error:
            why = foreign_text(str(error), DETAIL_MAX_LENGTH)
            if answer.compression:
                why += f"; it came compressed, {answer.compression}, though identity was asked for"
            raise BadRequest(
                f"GET conversation {conversation_id}: {answer.status} with a body that is not the "
                f"conversation ({why}); check GENESYS_CLOUD_BASE_URL, GENESYS_API and the proxies "
                "on the way",
                status=answer.status,
                correlation_id=answer.correlation_id,
            ) from None

    def error_of(self, request: Request, answer: Answer, random: Random) -> ApiError:
        """The error for an answer that is no success, in this API's terms."""
        code = (complaint(answer).code or "").removeprefix(_PREFIX)

        def message(meaning: str) -> str:
            return describe(request.what, answer, meaning)

        about = facts(answer)
        if answer.status == 403:
            return Forbidden(message(_NO_PERMISSION.format(request.permission)), **about)
        if answer.status in (409, 412):
            # This API has no entity-tags, so it is not an answer to what was read before.
            return ServerError(message(_CHANGED_MEANING), maybe_applied=request.changes, **about)
        if answer.status == 400 and code == "not.a.user":
            return BadRequest(message(_NO_USER_MEANING), **about)
        if request.changes and answer.status == 400 and code in CLOSED:
            return WrapUpClosed(message(_CLOSED_MEANING), **about)
        if request.changes and answer.status == 400 and code in _NO_CODE:
            return BadRequest(message(_NO_CODE_MEANING), **about)
        if request.changes and answer.status in (404, 410):
            return BadRequest(message(_NO_PARTICIPANT_MEANING), **about)
        return error_of(answer, what=request.what, changes=request.changes, scope="", random=random)

    def _path(self, leg: LegAddress) -> tuple[tuple[str, ...], str]:
        """The segments behind ``conversations``, and their template."""
        of_participant = (leg.conversation_id, "participants", leg.participant_id)
        template = "{id}/participants/{participantId}"
        if self._method == "participant":
            return of_participant, template
        family = FAMILIES.get(leg.medium)
        if family is None:
            raise self._unnamed(leg, f"there is no such route for its medium, {leg.medium}")
        if self._method == "call":
            return (family, *of_participant), f"{family}/{template}"
        if leg.communication_id is None:
            raise self._unnamed(leg, "the API shows no communication of it")
        ending = ("communications", leg.communication_id, "wrapup")
        route = f"{family}/{template}/communications/{{communicationId}}/wrapup"
        return (family, *of_participant, *ending), route

    def _unnamed(self, leg: LegAddress, why: str) -> BadRequest:
        return BadRequest(
            f"wrap-up of participant {leg.participant_id} in conversation {leg.conversation_id}: "
            f"not sent: {why}; set WRAP_UP_METHOD=participant"
        )


def _url(base: URL, *segments: str) -> URL:
    # Ids are checked when they are read. They are quoted all the same: a wrong one could do harm
    # here.
    quoted = (quote(segment, safe="") for segment in segments)
    return base.joinpath("api", "v2", "conversations", *quoted, encoded=True)
