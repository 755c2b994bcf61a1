"""The routes of Genesys Cloud's public API, over a socket."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from streams.clock import rfc3339
from streams.local.conversations.history import Work
from streams.local.conversations.population import conversations
from streams.local.conversations.scenario import moved
from streams.local.simulator.api import Simulator
from tests.support.scenarios import CODE, START_MS, call, told
from tests.support.scripted import LeapingClock
from tests.support.simulated_org import Answer, Org, running

HISTORY = call(Work(START_MS + 61_000, START_MS + 181_000, "ININ-WRAP-UP-TIMEOUT"))
(AGENT,) = HISTORY.agents
BASE = "/api/v2/conversations"
PARTICIPANT = f"{HISTORY.id}/participants/{AGENT.id}"
COMMUNICATION = AGENT.communications[0].id
BODY = {"wrapup": {"code": CODE, "disableEndTimeUpdates": True}}


class OrgClock(LeapingClock):
    """The org's time: at first the after-call work is over."""

    def time(self) -> float:
        return START_MS / 1000 + 200 + self.now - 1000.0


@pytest.fixture
async def org() -> AsyncIterator[Org]:
    async with running(Simulator(clock=OrgClock())) as one:
        one.simulator.conversations.store.load([told(HISTORY)])
        yield await one.signed_in()


async def shown(org: Org) -> dict[str, Any]:
    answer = await org.ask("GET", f"{BASE}/{HISTORY.id}")
    assert answer.status == 200
    (agent,) = [each for each in answer.body["participants"] if each["id"] == AGENT.id]
    return dict(agent)


async def send(org: Org, path: str = f"{BASE}/{PARTICIPANT}", method: str = "PATCH", **how: Any
) -> Answer:  # fmt: skip
    """A write; its success has no body."""
    async with org.session.request(method, path, **({"json": BODY} | how)) as answer:
        content = await answer.read()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, headers, msgspec.json.decode(content) if content else None)


async def writes(org: Org) -> list[dict[str, Any]]:
    return list((await org.ask("GET", "/_simulator/writes")).body["writes"])


async def as_user(org: Org) -> None:
    basic = base64.b64encode(b"id:secret").decode()
    answer = await org.ask(
        "POST",
        "/oauth/token",
        headers={"Authorization": f"Basic {basic}"},
        data={"grant_type": "refresh_token", "refresh_token": "r-1"},
    )
    assert answer.body["refresh_token"]
    org.session.headers["Authorization"] = f"Bearer {answer.body['access_token']}"


async def test_a_code_is_accepted_and_shows(org: Org) -> None:
    answer = await send(org)
    assert (answer.status, answer.body) == (202, None)
    assert answer.headers["inin-correlation-id"]
    assert answer.headers["inin-ratelimit-allowed"]
    assert (await shown(org))["wrapup"]["code"] == CODE
    (write,) = await writes(org)
    assert write == {
        "atMs": START_MS + 200_000,
        "method": "participant",
        "conversationId": HISTORY.id,
        "participantId": AGENT.id,
        "communicationId": None,
        "code": CODE,
        "keepsEndTime": True,
        "status": 202,
        "showsAtMs": START_MS + 200_000,
    }


async def test_it_shows_late_where_the_org_is_slow(org: Org) -> None:
    await org.ask("PUT", "/_simulator/org", json={"visibleAfterSeconds": 30})
    await send(org)
    assert (await shown(org))["wrapup"]["code"] == "ININ-WRAP-UP-TIMEOUT"
    clock = org.simulator._clock
    assert isinstance(clock, OrgClock)
    clock.now += 30
    assert (await shown(org))["wrapup"]["code"] == CODE


@pytest.mark.parametrize("body", [BODY, BODY["wrapup"]], ids=["the contract's", "the SDK's"])
async def test_the_wrap_up_of_a_communication(org: Org, body: dict[str, Any]) -> None:
    path = f"{BASE}/calls/{PARTICIPANT}/communications/{COMMUNICATION}/wrapup"
    assert (await send(org, path, "POST", json=body)).status == 202
    assert (await shown(org))["calls"][0]["wrapup"]["code"] == CODE
    assert [write["communicationId"] for write in await writes(org)] == [COMMUNICATION]


async def test_the_calls_participant_needs_a_user(org: Org) -> None:
    path = f"{BASE}/calls/{PARTICIPANT}"
    refused = await send(org, path)
    assert (refused.status, refused.body["code"]) == (400, "not.a.user")
    await as_user(org)
    assert (await send(org, path)).status == 202
    assert [write["method"] for write in await writes(org)] == ["call"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (f"{BASE}/unknown/participants/p", BODY, 404, "not.found"),
        (f"{BASE}/{HISTORY.id}/participants/p", BODY, 404,
         "conversation.error.not.conversation.participant"),
        (f"{BASE}/{PARTICIPANT}", {"wrapup": {}}, 400,
         "conversation.error.wrapup.code.required"),
        (f"{BASE}/{PARTICIPANT}", {"state": "disconnected"}, 400, "bad.request"),
        (f"{BASE}/{PARTICIPANT}", [], 400, "bad.request"),
    ],
)  # fmt: skip
async def test_what_is_refused(org: Org, path: str, body: Any, status: int, code: str) -> None:
    answer = await send(org, path, json=body)
    assert (answer.status, answer.body["code"], answer.body["status"]) == (status, code, status)
    assert answer.body["contextId"] == answer.headers["inin-correlation-id"]
    assert await writes(org) == []


async def test_a_wrap_up_that_is_closed(org: Org) -> None:
    await org.ask("PUT", "/_simulator/org", json={"closesAfterSeconds": 60})
    answer = await send(org)
    assert answer.status == 400
    assert answer.body["code"] == "conversation.error.participant.no.active.conversations"
    assert (await shown(org))["wrapup"]["code"] == "ININ-WRAP-UP-TIMEOUT"
    assert [(write["status"], write["showsAtMs"]) for write in await writes(org)] == [(400, None)]


async def test_an_org_that_takes_codes_from_users_alone(org: Org) -> None:
    await org.ask("PUT", "/_simulator/org", json={"needsUser": True})
    assert (await send(org)).body["code"] == "not.a.user"
    await as_user(org)
    assert (await send(org)).status == 202


async def test_a_permission_that_was_not_given(org: Org) -> None:
    missing = ["conversation:participant:wrapup", "conversation:communication:view"]
    await org.ask("PUT", "/_simulator/org", json={"missingPermissions": missing})
    for answer in (await send(org), await org.ask("GET", f"{BASE}/{HISTORY.id}")):
        assert (answer.status, answer.body["code"]) == (403, "missing.any.permissions")
        assert "[conversation:" in answer.body["message"]


async def test_a_script_of_answers(org: Org) -> None:
    body = {"code": "too.odd", "message": "no", "status": 409}
    script = {"get": [{"status": 503}], "patch": [{"status": 409, "body": body}]}
    org.simulator.conversations.store.load([told(HISTORY, answers=script)])
    assert (await org.ask("GET", f"{BASE}/{HISTORY.id}")).status == 503
    await shown(org)
    refused = await send(org)
    assert (refused.status, refused.body) == (409, body)
    assert (await send(org)).status == 202


async def test_the_faults_strike_here_as_well(org: Org) -> None:
    await org.script({"status": 429, "retryAfter": 1}, {"status": 500, "afterApply": True})
    limited = await org.ask("GET", f"{BASE}/{HISTORY.id}")
    assert (limited.status, limited.headers["retry-after"]) == (429, "1")
    assert isinstance(limited.body["limit"]["value"], int)
    assert (await send(org)).status == 500
    assert (await shown(org))["wrapup"]["code"] == CODE
    await org.ask("PUT", "/_simulator/outage", json={"status": 503})
    assert (await send(org)).status == 503
    assert (await org.ask("GET", "/api/v2/users/me")).status == 503
    await org.ask("DELETE", "/_simulator/outage")
    counted = (await org.counters())["interactions"][HISTORY.id]
    assert counted == {"gets": 2, "patchesReceived": 2, "patchesApplied": 1}


async def test_without_a_token_nothing_is_said(org: Org) -> None:
    del org.session.headers["Authorization"]
    assert (await org.ask("GET", f"{BASE}/{HISTORY.id}")).status == 401


async def test_a_refresh_token_is_checked_and_replaced() -> None:
    async with running(Simulator(refresh_token="r-1", rotates=True)) as org:
        await as_user(org)
        with pytest.raises(KeyError):
            await as_user(org)
        assert org.simulator.tokens.issued == 1


async def test_scenarios_are_loaded_and_moved(org: Org) -> None:
    scenarios = [moved(told(HISTORY), 0), *conversations(1, 2)]
    content = [msgspec.to_builtins(each) for each in scenarios]
    now = rfc3339(START_MS / 1000)
    answer = await org.ask(
        "PUT", "/_simulator/conversations", json=content,
        params={"startsAt": now, "scale": "0.5"},
    )  # fmt: skip
    assert answer.body == {"loaded": 3}
    known = await org.ask("GET", f"/_simulator/conversations/{HISTORY.id}")
    assert known.body["conversation"]["startTime"] == now
    assert known.body["conversation"]["endTime"] == rfc3339((START_MS + 30_500) / 1000)
    assert known.body["writes"] == []


@pytest.mark.parametrize(
    ("content", "query"), [({}, {}), ([{"id": "x"}], {}), ([], {"startsAt": "soon"})]
)
async def test_what_is_no_scenario_is_refused(
    org: Org, content: Any, query: dict[str, str]
) -> None:
    answer = await org.ask("PUT", "/_simulator/conversations", json=content, params=query)
    assert answer.status == 400
    assert answer.body["error"]


async def test_what_doctor_asks(org: Org) -> None:
    await org.ask("PUT", "/_simulator/org", json={"wrapUpCodes": {CODE: "Not coded"}})
    code = await org.ask("GET", f"/api/v2/routing/wrapupcodes/{CODE}")
    assert (code.status, code.body["name"]) == (200, "Not coded")
    assert (await org.ask("GET", "/api/v2/routing/wrapupcodes/other")).status == 404
    of_queue = await org.ask("GET", f"/api/v2/routing/queues/{AGENT.queue_id}/wrapupcodes")
    assert [each["id"] for each in of_queue.body["entities"]] == [CODE]
    path = "/api/v2/notifications/availabletopics"
    with_them = await org.ask("GET", path, params={"expand": "transports"})
    on_bridge = [
        each["id"].rpartition("}.")[2]
        for each in with_them.body["entities"]
        if "EventBridge" in each["transports"]
    ]
    assert {"user.end", "customer.end", "acw", "outbound"} <= set(on_bridge)
    assert "transports" not in (await org.ask("GET", path)).body["entities"][0]
    assert (await org.ask("GET", "/api/v2/organizations/me")).body["name"]
    assert (await org.ask("GET", "/api/v2/tokens/me")).body["OAuthClient"]["id"]
    assert (await org.ask("GET", "/api/v2/users/me")).body["code"] == "not.a.user"
    await as_user(org)
    assert (await org.ask("GET", "/api/v2/users/me")).body["state"] == "active"
