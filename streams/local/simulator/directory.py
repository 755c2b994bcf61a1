"""What an org says of itself: its wrap-up codes, its topics, its tokens and who a token is of."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from aiohttp import web

from streams.local.conversations.history import DIVISION_ID
from streams.local.conversations.stories import queue_ids
from streams.local.simulator import answers
from streams.local.simulator.call import Call
from streams.local.simulator.conversations import GRANTED, Conversations

_encode = msgspec.json.Encoder().encode

_ORG = {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, "org.example")), "name": "Simulated Org"}
_CLIENT = {"id": "simulated-client", "name": "Simulated client"}
_ROLE_ID = str(uuid.uuid5(uuid.NAMESPACE_DNS, "role.example"))
_DIVISION = {"id": DIVISION_ID, "name": "Home", "homeDivision": True}
_USER_ID = str(uuid.uuid5(uuid.NAMESPACE_DNS, "user.example"))

# The topics of a conversation, and those of them that EventBridge is known to carry.
_TOPICS = ("acw", "customer.end", "customer.start", "outbound", "user.end", "user.start", "wrapup")
_ON_EVENT_BRIDGE = frozenset(_TOPICS) - {"wrapup"}

_Json = dict[str, Any]


class Directory:
    """The effects of the routes that ``doctor`` asks."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def wrap_up_code(self, call: Call) -> web.Response:
        """``GET /api/v2/routing/wrapupcodes/{code_id}``."""
        if refused := self._conversations.forbidden(call, "routing:wrapupCode:view"):
            return refused
        code_id, known = call.request.match_info["code_id"], self._codes()
        if known is not None and code_id not in known:
            return answers.error(404, call.correlation_id, headers=call.limits)
        return _found(call, _code(code_id, (known or {}).get(code_id, "Wrap-up code")))

    async def queues(self, call: Call) -> web.Response:
        """``GET /api/v2/routing/queues``: those of the generated conversations, on one page."""
        if refused := self._conversations.forbidden(call, "routing:queue:view"):
            return refused
        queues = [
            {"id": queue_id, "name": f"Queue {number}", "division": _DIVISION}
            for number, queue_id in enumerate(queue_ids(), 1)
        ]
        return _found(call, _page(queues, call))

    async def queue_codes(self, call: Call) -> web.Response:
        """``GET /api/v2/routing/queues/{queue_id}/wrapupcodes``."""
        if refused := self._conversations.forbidden(call, "routing:queue:view"):
            return refused
        codes = [_code(code_id, name) for code_id, name in (self._codes() or {}).items()]
        return _found(call, _page(codes, call))

    async def topics(self, call: Call) -> web.Response:
        """``GET /api/v2/notifications/availabletopics``; transports if they are asked for."""
        expand = ",".join(call.request.query.getall("expand", []))
        return _found(call, {"entities": [_topic(name, expand) for name in _TOPICS]})

    async def grants(self, call: Call) -> web.Response:
        """``GET /api/v2/authorization/subjects/me``: one role, with all that the client may do."""
        granted = sorted(GRANTED - self._conversations.org.missing_permissions)
        policies = []
        for permission in granted:
            domain, entity, action = permission.split(":")
            policies.append({"actions": [action], "domain": domain, "entityName": entity})
        role = {"id": _ROLE_ID, "name": "genesys-streams", "policies": policies}
        grant = {"subjectId": _CLIENT["id"], "division": _DIVISION, "role": role}
        return _found(call, {"id": _CLIENT["id"], "name": _CLIENT["name"], "grants": [grant]})

    async def token(self, call: Call) -> web.Response:
        """``GET /api/v2/tokens/me``."""
        body = {"organization": _ORG, "homeOrganization": _ORG, "authorizedScope": []}
        return _found(call, body | {"OAuthClient": _CLIENT | {"organization": _ORG}})

    async def user(self, call: Call) -> web.Response:
        """``GET /api/v2/users/me``: for a user's token alone."""
        if not call.user:
            message = "This request requires a user context. Client credentials cannot be used."
            return answers.error(
                400, call.correlation_id, code="not.a.user", message=message, headers=call.limits
            )
        body = {"id": _USER_ID, "name": "Simulated User", "state": "active"}
        return _found(call, body | {"selfUri": f"/api/v2/users/{_USER_ID}"})

    async def organization(self, call: Call) -> web.Response:
        """``GET /api/v2/organizations/me``."""
        body = {"defaultLanguage": "en-us", "domain": "simulated", "state": "active"}
        return _found(call, _ORG | body | {"selfUri": "/api/v2/organizations/me"})

    def _codes(self) -> dict[str, str] | None:
        return self._conversations.org.wrap_up_codes


def _page(entities: list[_Json], call: Call) -> _Json:
    """All of a list on its first page."""
    size = {"pageSize": 100, "pageNumber": 1, "pageCount": 1, "total": len(entities)}
    return {"entities": entities, "selfUri": call.request.path} | size


def _code(code_id: str, name: str) -> _Json:
    return {"id": code_id, "name": name, "selfUri": f"/api/v2/routing/wrapupcodes/{code_id}"}


def _topic(name: str, expand: str) -> _Json:
    topic: _Json = {
        "id": f"v2.detail.events.conversation.{{id}}.{name}",
        "description": f"A conversation's {name}",
        "requiresPermissions": ["analytics:conversationDetail:view"],
    }
    if "transports" in expand.split(","):
        on_bridge = ["EventBridge"] if name in _ON_EVENT_BRIDGE else []
        topic["transports"] = ["All", *on_bridge, "ProcessAutomation"]
    return topic


def _found(call: Call, body: _Json) -> web.Response:
    return answers.success(_encode(body), call.correlation_id, call.limits)
