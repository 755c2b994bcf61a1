"""What the doctor says of Genesys Cloud, of a simulated org and of scripted answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

import pytest

from streams.genesys.answers import Answer
from streams.genesys.budget import Quota
from streams.genesys.client import Calls
from streams.genesys.org import Org
from streams.local.simulator.api import Simulator
from streams.local.simulator.conversations import Org as SimulatedOrg
from streams.local.simulator.faults import Fault
from streams.local.simulator.server import serving
from streams.local.simulator.tokens import Client
from streams.operator.doctor import api
from streams.operator.doctor.check import Check, Result
from streams.operator.doctor.examination import asking, conversations_of
from tests.support.scripted import CLIENT_ID, CLIENT_SECRET, LeapingClock
from tests.unit.operator.doctor.org import settings_of

CODE = "code-7"
NOW = 1_765_552_507.0


@asynccontextmanager
async def calls_to(url: str, **more: Any) -> AsyncIterator[Calls]:
    settings = settings_of(url, **more)
    async with asking(settings, LeapingClock(), conversations_of(settings)) as calls:
        yield calls


class Examined:
    """A simulated org and what the doctor says of it."""

    def __init__(self, **org: Any) -> None:
        self.simulator = Simulator()
        self.simulator.conversations.org = SimulatedOrg(**org)

    async def say(self, *asked: str, **settings: Any) -> dict[str, Check]:
        """The checks of these kinds by their names."""
        async with serving(self.simulator) as url, calls_to(url, **settings) as calls:
            org = Org(calls, base_url=url)
            ways = {
                "org": lambda: api.check_org(org, settings_of(url, **settings)),
                "permissions": lambda: api.check_permissions(org),
                "code": lambda: api.check_code(org, CODE),
            }
            return {each.check: each for name in asked async for each in ways[name]()}


async def test_a_whole_org_is_fine() -> None:
    told = await Examined(wrap_up_codes={CODE: "Not coded"}).say("org", "permissions", "code")
    assert {name: each.result for name, each in told.items()} == dict.fromkeys(
        ["org", "read", "write", "code", "queues"], Result.OK
    )
    assert "Simulated Org" in told["org"].found
    assert "in the divisions Home" in told["write"].found
    assert told["code"].found == "code-7 is Not coded"


async def test_nothing_is_changed() -> None:
    examined = Examined()
    await examined.say("org", "permissions", "code")
    assert examined.simulator.conversations.store.writes == []
    assert not any(
        counted["patchesReceived"] for counted in examined.simulator.store.counted().values()
    )


@pytest.mark.parametrize(
    ("permission", "name", "result"),
    [
        ("conversation:communication:view", "read", Result.FAILED),
        ("conversation:participant:wrapup", "write", Result.FAILED),
        ("routing:wrapupCode:view", "code", Result.WARNING),
        ("routing:queue:view", "queues", Result.WARNING),
    ],
)
async def test_a_missing_permission_is_named(permission: str, name: str, result: Result) -> None:
    told = await Examined(missing_permissions=frozenset({permission})).say("permissions", "code")
    assert told[name].result is result
    assert permission in str(told[name])


async def test_a_code_that_there_is_not() -> None:
    told = await Examined(wrap_up_codes={"other": "Other"}).say("code")
    assert told.keys() == {"code"}
    assert told["code"].result is Result.FAILED


async def test_queues_that_do_not_offer_the_code() -> None:
    examined = Examined(wrap_up_codes=None)
    told = await examined.say("code")
    assert told["queues"].result is Result.WARNING
    assert told["queues"].found.startswith("6 of 6 queues do not offer the code: ")
    assert "and 1 more" in told["queues"].found


async def test_a_users_grant() -> None:
    assert "grant" not in await Examined().say("org")
    told = await Examined().say("org", refresh_token="r-1")
    assert told["grant"].result is Result.OK


async def test_events_that_event_bridge_can_carry() -> None:
    async with serving(Simulator()) as url, calls_to(url) as calls:
        check = await api.check_topics(Org(calls, base_url=url))
    assert check.result is Result.OK
    assert check.found == (
        "EventBridge can carry user.end, customer.end, acw, outbound, and not wrapup"
    )


@pytest.mark.parametrize(
    ("transports", "carried"),
    [
        (None, False),
        (frozenset(), False),
        (frozenset({"All"}), True),
        (frozenset({"EventBridge"}), True),
        (frozenset({"All", "Websocket"}), False),
    ],
)
async def test_how_a_topic_is_carried(transports: frozenset[str] | None, carried: bool) -> None:
    class Told(Org):
        def __init__(self) -> None:
            """It asks nobody."""

        async def transports(self) -> dict[str, frozenset[str]]:
            prefix = "v2.detail.events.conversation.{id}."
            names = ("customer.end", "acw", "wrapup", "outbound")
            found = {f"{prefix}{name}": frozenset({"EventBridge"}) for name in names}
            return found if transports is None else found | {f"{prefix}user.end": transports}

    check = await api.check_topics(Told())
    assert check.result is (Result.OK if carried else Result.FAILED)


async def test_the_token() -> None:
    simulator = Simulator(client=Client(CLIENT_ID, CLIENT_SECRET))
    async with serving(simulator) as url:
        async with calls_to(url) as calls:
            assert (await api.check_token(calls)).result is Result.OK
        async with calls_to(url, client_secret="another") as calls:
            check = await api.check_token(calls)
    assert check.result is Result.FAILED
    assert "GENESYS_CLOUD_CLIENT_SECRET" in check.found
    assert "another" not in check.found


async def test_an_org_that_fails_is_told_once_each_and_nothing_is_asked_twice() -> None:
    examined = Examined()
    async with serving(examined.simulator) as url, calls_to(url) as calls:
        await api.check_token(calls)
        examined.simulator.fail(Fault(status=503))
        org = Org(calls, base_url=url)
        told = [each async for each in api.check_permissions(org)]
        told += [each async for each in api.check_code(org, CODE)]
        told.append(await api.check_topics(org))
    assert [(each.check, each.result) for each in told] == [
        ("read", Result.FAILED),
        ("write", Result.WARNING),
        ("code", Result.WARNING),
        ("events", Result.WARNING),
    ]
    assert examined.simulator.traffic.counted()["routes"]["GET"] == {"503": 4}


def test_the_rate_headers() -> None:
    answer = Answer(200, quota=Quota(3, 180, 60))
    check = api.check_rate(answer, 300)
    assert check.result is Result.OK
    assert "3 of 180" in check.found
    assert "not to 300" in check.found
    assert "not to" not in api.check_rate(answer, 100).found
    for without in (None, Answer(200)):
        assert api.check_rate(without, 300).result is Result.WARNING


@pytest.mark.parametrize(
    ("ahead", "result"),
    [
        (0, Result.OK),
        (3, Result.OK),
        (-3, Result.OK),
        (5, Result.WARNING),
        (-3600, Result.WARNING),
        (11, Result.FAILED),
    ],
)
def test_the_clock(ahead: int, result: Result) -> None:
    answer = Answer(200, date=formatdate(NOW - ahead, usegmt=True))
    assert api.check_clock(answer, NOW, 10_000).result is result


def test_a_clock_that_nobody_tells() -> None:
    for without in (None, Answer(200), Answer(200, date="noon")):
        assert api.check_clock(without, NOW, 10_000).result is Result.WARNING
