"""Asks an org what it says of itself: who we are there, what we may do, codes, queues and topics.

For ``doctor`` alone. Nothing is changed by any of these requests, and each is sent once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from yarl import URL

from streams.errors import BadRequest, NotFound
from streams.genesys.answers import CODE_MAX_LENGTH, DETAIL_MAX_LENGTH, UNREADABLE, Answer
from streams.genesys.api import CallContext
from streams.genesys.client import Calls
from streams.genesys.conversations import READ_PERMISSION
from streams.genesys.transport import Request

# Codes and queues in one answer: the most that Genesys Cloud gives.
PAGE_SIZE = 100

# Pages that are read of a list. Beyond it an org's list is taken as read in part: a doctor must not
# use up the budget that the workers have.
MOST_PAGES = 5

_Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose the token is. Texts are bounded; None where the org does not say."""

    org_id: str | None
    org_name: str | None


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions in one division, as ``domain:entity:action``; ``*`` stands for all. ``division``:
    its name."""

    permission: str
    division: str

    def covers(self, permission: str) -> bool:
        """Whether it gives this permission."""
        pairs = zip(self.permission.split(":"), permission.split(":"), strict=True)
        return all(mine in ("*", theirs) for mine, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Named:
    """A code or a queue."""

    id: str
    name: str


class Org:
    """One org, asked through these calls."""

    def __init__(self, calls: Calls, *, base_url: str) -> None:
        self._answer = Answer(200)
        self._calls = calls
        self._base = URL(base_url)

    async def owner(self) -> Owner:
        """Whose the token is."""
        body = await self._get("whose token it is", "tokens", "me")
        org = _object(body, "organization")
        return Owner(self._text(org, "id"), self._text(org, "name"))

    async def may_read_conversations(self, some_id: str) -> None:
        """Ask for a conversation that there is not. Raises Forbidden when we may read none,
        ApiError when that can not be told."""
        with suppress(NotFound):
            await self._get(
                "reading a conversation", "conversations", some_id, permission=READ_PERMISSION
            )

    async def grants(self) -> list[Grant]:
        """Every permission that we have been given; empty when the org does not say. Raises
        ApiError."""
        body = await self._get("our permissions", "authorization", "subjects", "me")
        found = []
        for grant in _objects(body, "grants"):
            division = self._text(_object(grant, "division"), "name") or "unnamed"
            for policy in _objects(_object(grant, "role"), "policies"):
                domain, entity = self._text(policy, "domain"), self._text(policy, "entityName")
                actions = policy.get("actions")
                for action in actions if isinstance(actions, list) else ():
                    if isinstance(action, str) and domain and entity:
                        kept = self._kept(action)
                        found.append(Grant(f"{domain}:{entity}:{kept}", division))
        return found

    async def code(self, code_id: str) -> Named | None:
        """The wrap-up code; None if there is none. Raises ApiError."""
        try:
            body = await self._get(
                "the wrap-up code",
                *("routing", "wrapupcodes", code_id),
                permission="routing:wrapupCode:view",
            )
        except NotFound:
            return None
        return Named(code_id, self._text(body, "name") or "unnamed")

    async def queues(self) -> list[Named]:
        """The org's queues, at most PAGE_SIZE * MOST_PAGES of them. Raises ApiError."""
        pages = await self._pages("the queues", "routing", "queues")
        return [
            Named(queue_id, self._text(each, "name") or queue_id)
            for page in pages
            for each in _objects(page, "entities")
            if (queue_id := self._text(each, "id"))
        ]

    async def offers(self, queue_id: str, code_id: str) -> bool:
        """Whether the queue offers its agents this code. Raises ApiError."""
        pages = await self._pages(
            "the queue's wrap-up codes", "routing", "queues", queue_id, "wrapupcodes"
        )
        return any(
            each.get("id") == code_id for page in pages for each in _objects(page, "entities")
        )

    async def transports(self) -> dict[str, frozenset[str]]:
        """The ways on which each topic's events can be carried, by topic. Raises ApiError."""
        body = await self._get(
            "the topics", "notifications", "availabletopics", query={"expand": "transports"}
        )
        return {
            name: frozenset(each for each in topic.get("transports") or () if isinstance(each, str))
            for topic in _objects(body, "entities")
            if isinstance(name := topic.get("id"), str)
        }

    async def is_user(self) -> bool:
        """Whether the token is a user's. Raises ApiError when that can not be told."""
        try:
            await self._get("whose token it is", "users", "me")
        except BadRequest as error:
            if error.code == "not.a.user":
                return False
            raise
        return True

    async def _pages(self, what: str, *segments: str) -> list[_Object]:
        pages: list[_Object] = []
        last = 1.0
        while len(pages) < min(last, MOST_PAGES):
            query = {"pageSize": str(PAGE_SIZE), "pageNumber": str(len(pages) + 1)}
            page = await self._get(what, *segments, permission="routing:queue:view", query=query)
            pages.append(page)
            last = count if isinstance(count := page.get("pageCount"), float) else 1.0
        return pages

    async def _get(
        self,
        what: str,
        *segments: str,
        permission: str = "",
        query: dict[str, str] | None = None,
    ) -> _Object:
        path = [quote(segment, safe="") for segment in segments]
        request = Request(
            method="GET",
            url=self._base.joinpath("api", "v2", *path, encoded=True).with_query(query or {}),
            route="/api/v2/" + "/".join(segments[:2]),
            what=what,
            permission=permission,
        )
        self._answer = await self._calls.call(request, CallContext())
        try:
            body = self._answer.json()
            if not isinstance(body, dict):
                raise ValueError("an object was promised")
        except UNREADABLE:
            raise BadRequest(
                f"{what}: {self._answer.status} with a body that is not what was asked for; check "
                "GENESYS_CLOUD_BASE_URL and the proxies on the way",
                status=self._answer.status,
            ) from None
        return body

    def _text(self, body: _Object, name: str) -> str | None:
        value = body.get(name)
        return self._kept(value, DETAIL_MAX_LENGTH) or None if isinstance(value, str) else None

    def _kept(self, text: str, most: int = CODE_MAX_LENGTH) -> str:
        return self._answer.text(text, most)


def _object(body: _Object, name: str) -> _Object:
    """The object of that name; an empty one if there is none."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _objects(body: _Object, name: str) -> Iterator[_Object]:
    """The objects in the list of that name; nothing else in it."""
    found = body.get(name)
    if isinstance(found, list):
        yield from (each for each in found if isinstance(each, dict))
