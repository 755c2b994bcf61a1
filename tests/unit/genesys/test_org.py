"""What an org says of itself, read from answers of any kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ApiError, BadRequest, Forbidden
from streams.genesys.answers import Answer
from streams.genesys.api import CallContext
from streams.genesys.client import Calls, open_calls
from streams.genesys.conversations import Conversations
from streams.genesys.org import MOST_PAGES, Grant, Named, Org, Owner
from streams.genesys.settings import GenesysSettings
from streams.genesys.transport import Request
from tests.support.scripted import (
    CLIENT_ID,
    CLIENT_SECRET,
    UNPACED,
    LeapingClock,
    Recorder,
    ScriptedGenesys,
    reply,
)

QUESTIONS: dict[str, Callable[[Org], Coroutine[Any, Any, object]]] = {
    "owner": lambda org: org.owner(),
    "grants": lambda org: org.grants(),
    "code": lambda org: org.code("code-1"),
    "queues": lambda org: org.queues(),
    "offers": lambda org: org.offers("q-1", "code-1"),
    "transports": lambda org: org.transports(),
    "is_user": lambda org: org.is_user(),
    "may_read": lambda org: org.may_read_conversations("c-1"),
}


@asynccontextmanager
async def asked(genesys: ScriptedGenesys) -> AsyncIterator[Org]:
    of = GenesysSettings(
        base_url=genesys.url,
        login_url=genesys.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        scopes=None,
        requests_per_minute=UNPACED,
        dialect="conversations",
    )
    async with open_calls(
        of,
        dialect=Conversations("participant", keep_end_time=True),
        in_flight=1,
        observer=Recorder(),
        clock=LeapingClock(),
        random=Random(1),
    ) as calls:
        yield Org(calls, base_url=genesys.url)


async def told(genesys: ScriptedGenesys, question: str, *bodies: Any) -> object:
    genesys.script.extend(reply(200, body) for body in bodies)
    async with asked(genesys) as org:
        return await QUESTIONS[question](org)


async def test_whose_the_token_is(genesys: ScriptedGenesys) -> None:
    body = {"organization": {"id": "o-1", "name": "An org"}}
    assert await told(genesys, "owner", body) == Owner("o-1", "An org")
    assert await told(genesys, "owner", {}) == Owner(None, None)


async def test_permissions_and_their_divisions(genesys: ScriptedGenesys) -> None:
    policy = {"domain": "conversation", "entityName": "participant", "actions": ["wrapup", "*"]}
    role = {"policies": [policy, {"domain": "routing"}, 7]}
    body = {"grants": [{"division": {"name": "Home"}, "role": role}, {"role": None}]}
    assert await told(genesys, "grants", body) == [
        Grant("conversation:participant:wrapup", "Home"),
        Grant("conversation:participant:*", "Home"),
    ]


@pytest.mark.parametrize(
    ("granted", "covers"),
    [
        ("conversation:participant:wrapup", True),
        ("conversation:participant:*", True),
        ("conversation:*:*", True),
        ("*:*:*", True),
        ("conversation:participant:view", False),
        ("routing:*:*", False),
    ],
)
def test_what_a_grant_covers(granted: str, covers: bool) -> None:
    assert Grant(granted, "Home").covers("conversation:participant:wrapup") is covers


async def test_a_code_that_there_is_and_one_that_there_is_not(genesys: ScriptedGenesys) -> None:
    assert await told(genesys, "code", {"name": "Not coded"}) == Named("code-1", "Not coded")
    genesys.script.append(reply(404, {"code": "not.found"}))
    assert await told(genesys, "code") is None


async def test_lists_are_read_page_by_page_and_not_for_ever(genesys: ScriptedGenesys) -> None:
    def page(number: int, pages: int) -> dict[str, Any]:
        return {"entities": [{"id": f"q-{number}"}], "pageCount": pages}

    pages = [page(number, 3) for number in (1, 2, 3)]
    assert await told(genesys, "queues", *pages) == [Named(f"q-{n}", f"q-{n}") for n in (1, 2, 3)]
    assert [each.raw_path for each in genesys.received] == [
        f"/api/v2/routing/queues?pageSize=100&pageNumber={number}" for number in (1, 2, 3)
    ]
    genesys.received.clear()
    await told(genesys, "queues", *(page(number, 1000) for number in range(MOST_PAGES + 1)))
    assert len(genesys.received) == MOST_PAGES


async def test_whether_a_queue_offers_a_code(genesys: ScriptedGenesys) -> None:
    other, ours = {"entities": [{"id": "x"}], "pageCount": 2}, {"entities": [{"id": "code-1"}]}
    assert await told(genesys, "offers", other, ours) is True
    genesys.script.clear()
    assert await told(genesys, "offers", {"entities": [{"id": "x"}, None]}) is False


async def test_the_transports_of_topics(genesys: ScriptedGenesys) -> None:
    body = {"entities": [{"id": "a", "transports": ["All", 7]}, {"id": "b"}, {"id": 7}]}
    assert await told(genesys, "transports", body) == {"a": frozenset({"All"}), "b": frozenset()}
    assert genesys.received[-1].raw_path.endswith("availabletopics?expand=transports")


async def test_whether_the_token_is_a_users(genesys: ScriptedGenesys) -> None:
    assert await told(genesys, "is_user", {"id": "u-1"}) is True
    genesys.script.append(reply(400, {"code": "not.a.user"}))
    assert await told(genesys, "is_user") is False
    genesys.script.append(reply(400, {"code": "bad.request"}))
    with pytest.raises(BadRequest):
        await told(genesys, "is_user")


async def test_reading_what_there_is_not(genesys: ScriptedGenesys) -> None:
    genesys.script.append(reply(404))
    await told(genesys, "may_read")
    genesys.script.append(reply(403))
    with pytest.raises(Forbidden, match="conversation:communication:view"):
        await told(genesys, "may_read")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("id", "name", "entities", "transports", "grants", "role", "policies"),
                    *("division", "organization", "domain", "entityName", "actions", "pageCount"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


class Answering:
    """Calls that are all answered with the same body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def call(self, request: Request, context: CallContext) -> Answer:
        return Answer(200, self._body)


@pytest.mark.parametrize("question", QUESTIONS)
@given(values.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_whatever_is_answered_is_read_or_an_error_of_ours(question: str, body: bytes) -> None:
    org = Org(cast(Calls, Answering(body)), base_url="https://api.example.org")
    try:
        asyncio.run(QUESTIONS[question](org))
    except ApiError as error:
        assert str(error).isprintable()
