"""The simulated Genesys Cloud over a socket: every route, every kind of fault."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault
from streams.local.simulator.latency import Latency
from streams.local.simulator.server import serving
from streams.local.simulator.tokens import Client
from tests.support.workers import eventually

TRUTH = {"id": "i-1", "type": "voice", "state": "completed"}
ROUTE = "/api/v2/interactions/i-1"
CODE = {"dispositionCode": {"id": "code-1"}}

# How long a test waits for what has to come; and for what must not.
PATIENCE = 5.0
SOON = 0.2


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Org:
    """A simulator that is served, and a client of it."""

    simulator: Simulator
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, timeout: float = PATIENCE, **how: Any) -> Answer:
        limit = aiohttp.ClientTimeout(total=timeout)
        async with self.session.request(method, path, timeout=limit, **how) as answer:
            # Lower case: HTTP's header names have none.
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, await answer.json())

    async def sign_in(self, client: str = "id:secret") -> Answer:
        basic = base64.b64encode(client.encode()).decode()
        return await self.ask(
            "POST",
            "/oauth/token",
            headers={"Authorization": f"Basic {basic}"},
            data={"grant_type": "client_credentials"},
        )

    async def signed_in(self) -> Org:
        token = (await self.sign_in()).body["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        return self

    async def get(self, **how: Any) -> Answer:
        return await self.ask("GET", ROUTE, **how)

    async def patch(self, **how: Any) -> Answer:
        return await self.ask("PATCH", ROUTE, **({"json": CODE} | how))

    async def script(self, *faults: dict[str, Any], **which: Any) -> None:
        plan = {"scripts": [{"faults": faults, **which}]}
        assert (await self.ask("PUT", "/_simulator/faults", json=plan)).status == 200

    async def counters(self) -> Any:
        return (await self.ask("GET", "/_simulator/counters")).body

    async def applied(self) -> int:
        counters = (await self.counters())["interactions"].get("i-1", {})
        return int(counters.get("patchesApplied", 0))


@asynccontextmanager
async def running(simulator: Simulator) -> AsyncIterator[Org]:
    async with serving(simulator) as url, aiohttp.ClientSession(url) as session:
        yield Org(simulator, session)


@pytest.fixture
async def org() -> AsyncIterator[Org]:
    async with running(Simulator([TRUTH])) as one:
        yield await one.signed_in()


async def test_a_token_for_any_client_and_its_life() -> None:
    async with running(Simulator(token_lifetime=300)) as org:
        answer = await org.sign_in("who:ever")
    assert answer.status == 200
    assert answer.body["token_type"] == "bearer"
    assert answer.body["expires_in"] == 300


async def test_a_wrong_client_is_told_so_in_oauths_words() -> None:
    async with running(Simulator(client=Client("id", "secret"))) as org:
        assert (await org.sign_in("id:secret")).status == 200
        refused = await org.sign_in("id:wrong")
    assert refused.status == 401
    assert refused.body["error"] == "invalid_client"
    assert refused.body["error_description"] == "authentication failed"
    assert refused.headers["inin-correlation-id"]


async def test_another_grant_is_refused(org: Org) -> None:
    basic = {"Authorization": "Basic aWQ6c2VjcmV0"}
    answer = await org.ask("POST", "/oauth/token", headers=basic, data={"grant_type": "password"})
    assert (answer.status, answer.body["error"]) == (400, "unsupported_grant_type")


async def test_get_tells_the_truth_with_etag_rate_headers_and_correlation_id(org: Org) -> None:
    first, second = await org.get(), await org.get()
    assert (first.status, first.body) == (200, TRUTH)
    assert re.fullmatch(r'"\d+"', first.headers["etag"])
    assert first.headers["etag"] == second.headers["etag"]
    assert first.headers["inin-correlation-id"] != second.headers["inin-correlation-id"]
    assert second.headers["inin-ratelimit-count"] == "2"
    assert int(second.headers["inin-ratelimit-allowed"]) > 2
    assert 0 < int(second.headers["inin-ratelimit-reset"]) <= 60


async def test_patch_sets_the_disposition_and_moves_the_etag(org: Org) -> None:
    etag = (await org.get()).headers["etag"]
    patched = await org.patch(headers={"If-Match": etag})
    assert (patched.status, patched.body) == (200, TRUTH | CODE)
    now = await org.get()
    assert now.body == TRUTH | CODE
    assert now.headers["etag"] == patched.headers["etag"] != etag


async def test_a_stale_if_match_is_412_and_changes_nothing(org: Org) -> None:
    etag = (await org.get()).headers["etag"]
    await org.ask("PUT", "/_simulator/interactions", json=[TRUTH | {"queueId": "q"}])
    refused = await org.patch(headers={"If-Match": etag})
    assert (refused.status, refused.body["code"]) == (412, "precondition.failed")
    assert "dispositionCode" not in (await org.get()).body


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}",
        b"[]",
        b"\xff",
        b'{"dispositionCode":{}}',
        b'{"dispositionCode":{"id":""}}',
        b'{"dispositionCode":{"id":7}}',
        b'{"dispositionCode":{"id":"x"},"state":"completed"}',
    ],
)
async def test_a_patch_that_is_not_what_the_api_takes_is_400(org: Org, body: bytes) -> None:
    json = {"Content-Type": "application/json"}
    refused = await org.ask("PATCH", ROUTE, data=body, headers=json)
    assert (refused.status, refused.body["code"]) == (400, "bad.request")
    assert await org.applied() == 0


async def test_a_patch_that_is_no_json_by_its_type_is_415(org: Org) -> None:
    assert (await org.ask("PATCH", ROUTE, data=b"{}")).status == 415


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_an_unknown_interaction_is_404_in_genesys_shape(org: Org, method: str) -> None:
    answer = await org.ask(method, "/api/v2/interactions/nobody", json=CODE)
    assert answer.status == answer.body["status"] == 404
    assert answer.body["code"] == "not.found"
    assert answer.body["contextId"] == answer.headers["inin-correlation-id"]
    assert answer.body["details"] == answer.body["errors"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v2/other", 404), ("DELETE", ROUTE, 405), ("GET", "/", 404)],
)
async def test_other_routes_and_methods(org: Org, method: str, path: str, status: int) -> None:
    answer = await org.ask(method, path)
    assert answer.status == status
    assert answer.headers["inin-correlation-id"]


async def test_no_bad_and_revoked_tokens_are_401(org: Org) -> None:
    await org.ask("POST", "/_simulator/tokens/revoke")
    revoked = await org.get()
    bad = await org.get(headers={"Authorization": "Bearer x"})
    async with aiohttp.ClientSession(org.session._base_url) as nobody:
        none = await Org(org.simulator, nobody).get()
    assert [one.status for one in (revoked, bad, none)] == [401, 401, 401]
    assert revoked.body["code"] == "bad.credentials"


async def test_beyond_the_limit_429_says_how_long(org: Org) -> None:
    await org.ask("PUT", "/_simulator/rate-limit", json={"requestsPerMinute": 1})
    assert (await org.get()).status == 200
    refused = await org.get()
    assert (refused.status, refused.body["code"]) == (429, "too.many.requests.retry.after")
    seconds = refused.headers["retry-after"]
    assert 1 <= int(seconds) <= 60
    assert refused.body["message"].endswith(f"Retry the request in [{seconds}] seconds")
    assert refused.body["messageParams"] == {"retryAfter": seconds}
    assert refused.body["limit"] == {
        "key": "client.credentials.token.rate.per.minute",
        "namespace": "platform.api",
        "value": "1",
    }


@pytest.mark.parametrize("status", [401, 403, 404, 409, 500, 503])
async def test_a_status_by_script_in_genesys_shape_once(org: Org, status: int) -> None:
    await org.script({"status": status}, interactionId="i-1", route="PATCH")
    refused = await org.patch()
    assert refused.status == refused.body["status"] == status
    assert refused.body["code"]
    assert refused.headers["inin-correlation-id"] == refused.body["contextId"]
    assert await org.applied() == 0
    assert (await org.patch()).status == 200


async def test_retry_after_in_seconds_and_as_a_date(org: Org) -> None:
    await org.script(
        {"status": 429, "retryAfter": 2}, {"status": 429, "retryAfter": 90, "retryAfterDate": True}
    )
    assert (await org.get()).headers["retry-after"] == "2"
    dated = (await org.get()).headers
    until = parsedate_to_datetime(dated["retry-after"]) - parsedate_to_datetime(dated["date"])
    assert 88 <= until.total_seconds() <= 91


async def test_a_429_without_retry_after(org: Org) -> None:
    await org.script({"status": 429})
    refused = await org.get()
    assert refused.status == 429
    assert "retry-after" not in refused.headers


@pytest.mark.parametrize(("after", "applied"), [(False, 0), (True, 1)])
async def test_a_time_out_lasts_until_the_client_leaves(
    org: Org, after: bool, applied: int
) -> None:
    await org.script({"timeout": True, "afterApply": after}, route="PATCH")
    with pytest.raises(TimeoutError):
        await org.patch(timeout=SOON)
    counters = org.simulator.traffic.counted
    await eventually(lambda: counters()["inFlight"] == 0, PATIENCE, "it ended with the client")
    assert counters()["routes"]["PATCH"] == {"unanswered": 1}
    assert await org.applied() == applied


@pytest.mark.parametrize(("drop", "applied"), [("before-apply", 0), ("after-apply", 1)])
async def test_a_dropped_connection_before_and_after_the_patch_took_effect(
    org: Org, drop: str, applied: int
) -> None:
    await org.script({"drop": drop}, route="PATCH")
    with pytest.raises(aiohttp.ClientConnectionError):
        await org.patch()
    assert await org.applied() == applied
    assert ("dispositionCode" in (await org.get()).body) == bool(applied)


async def test_an_error_after_the_patch_took_effect(org: Org) -> None:
    await org.script({"status": 500, "afterApply": True}, route="PATCH")
    assert (await org.patch()).status == 500
    assert await org.applied() == 1


@pytest.mark.parametrize(("after", "applied"), [(False, 0), (True, 1)])
async def test_a_slow_answer_before_and_after_the_patch_took_effect(
    org: Org, after: bool, applied: int
) -> None:
    await org.script({"delayMs": 60_000, "afterApply": after}, route="PATCH")
    with pytest.raises(TimeoutError):
        await org.patch(timeout=SOON)
    counters = org.simulator.traffic.counted
    await eventually(lambda: counters()["inFlight"] == 0, PATIENCE, "it ended with the client")
    assert await org.applied() == applied


async def test_a_patch_that_takes_effect_after_its_client_has_left(org: Org) -> None:
    await org.script({"delayMs": round(SOON * 5000), "regardless": True}, route="PATCH")
    with pytest.raises(TimeoutError):
        await org.patch(timeout=SOON)
    assert await org.applied() == 0

    async def applied() -> bool:
        return await org.applied() == 1

    await eventually(applied, PATIENCE, "the PATCH took effect all the same")


async def test_not_there_for_a_while(org: Org) -> None:
    await org.script({"status": 404, "times": 2}, interactionId="i-1", route="GET")
    assert [(await org.get()).status for _ in range(3)] == [404, 404, 200]


async def test_faults_by_rate_and_their_end(org: Org) -> None:
    plan = {"rates": [{"rate": 1, "route": "GET", "fault": {"status": 503}}]}
    await org.ask("PUT", "/_simulator/faults", json=plan)
    assert [(await org.get()).status, (await org.patch()).status] == [503, 200]
    await org.ask("PUT", "/_simulator/faults", json={})
    assert (await org.get()).status == 200


async def test_the_token_route_fails_by_script(org: Org) -> None:
    await org.script({"status": 503}, route="token")
    assert [(await org.sign_in()).status, (await org.sign_in()).status] == [503, 200]


async def test_an_outage_and_its_end(org: Org) -> None:
    await org.ask("PUT", "/_simulator/outage", json={"status": 503})
    assert {(await org.get()).status, (await org.patch()).status, (await org.sign_in()).status} == {
        503
    }
    await org.ask("DELETE", "/_simulator/outage")
    assert (await org.get()).status == 200


async def test_latency_and_concurrency(org: Org) -> None:
    await org.ask("PUT", "/_simulator/latency", json={"medianMs": 80})
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(org.get() for _ in range(5)), org.patch())
    assert 0.08 <= loop.time() - began < PATIENCE
    assert (await org.counters())["maxConcurrent"] == 6


async def test_counters_say_what_was_asked_and_what_took_effect(org: Org) -> None:
    await org.script({"drop": "after-apply"}, {"status": 409}, route="PATCH")
    await org.get()
    await org.ask("GET", "/api/v2/interactions/nobody")
    with pytest.raises(aiohttp.ClientConnectionError):
        await org.patch()
    assert [(await org.patch()).status, (await org.patch()).status] == [409, 200]
    counters = await org.counters()
    assert counters["interactions"] == {
        "i-1": {"gets": 1, "patchesReceived": 3, "patchesApplied": 2},
        "nobody": {"gets": 1, "patchesReceived": 0, "patchesApplied": 0},
    }
    assert counters["routes"] == {
        "GET": {"200": 1, "404": 1},
        "PATCH": {"200": 1, "409": 1, "unanswered": 1},
        "token": {"200": 1},
    }
    assert (counters["tokensIssued"], counters["patchesApplied"]) == (1, 2)
    assert counters["requestsInsideRetryAfter"] == 0
    short = await org.ask("GET", "/_simulator/counters?interactions=false")
    assert "interactions" not in short.body


async def test_interactions_registered_while_it_runs(org: Org) -> None:
    new = {"id": "i-2", "type": "chat", "state": "queued"}
    told = await org.ask("PUT", "/_simulator/interactions", json=[new])
    assert told.body == {"registered": 1}
    assert (await org.ask("GET", "/api/v2/interactions/i-2")).body == new
    looked = await org.ask("GET", "/_simulator/interactions/i-2")
    assert (looked.body["truth"], looked.body["counters"]["gets"]) == (new, 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("interactions", [{"type": "voice"}]),
        ("interactions", {"id": "x"}),
        ("faults", {"rates": [{"rate": 2, "fault": {"status": 500}}]}),
        ("faults", {"script": []}),
        ("outage", {"status": 200}),
        ("latency", {"medianMs": -1}),
        ("rate-limit", {"requestsPerMinute": 0}),
    ],
)
async def test_control_that_makes_no_sense_is_400_and_says_why(
    org: Org, path: str, body: Any
) -> None:
    answer = await org.ask("PUT", f"/_simulator/{path}", json=body)
    assert answer.status == 400
    assert answer.body["error"]
    assert (await org.get()).status == 200


async def test_reset_is_as_it_was_started() -> None:
    started = Simulator([TRUTH], latency=Latency(1), requests_per_minute=500)
    async with running(started) as org:
        await org.signed_in()
        await org.patch()
        await org.script({"status": 500}, route="GET")
        started.faults.outage = Fault(status=503)
        started.latency = Latency(60_000)
        started.limit.allowed = 1
        await org.ask("POST", "/_simulator/reset")
        counters = await org.counters()
        assert (counters["interactions"], counters["patchesApplied"]) == ({}, 0)
        assert (await org.get()).status == 401, "tokens are gone"
        await org.signed_in()
        answer = await org.get()
    assert (answer.status, answer.body) == (200, TRUTH)
    assert answer.headers["inin-ratelimit-allowed"] == "500"


async def test_a_waiting_request_does_not_hold_up_the_end() -> None:
    simulator = Simulator([TRUTH])
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        async with serving(simulator) as url:
            simulator.faults.outage = Fault(timeout=True)
            token = {"Authorization": f"Bearer {simulator.tokens.issue()}"}
            waiting = asyncio.create_task(session.get(f"{url}{ROUTE}", headers=token))
            counters = simulator.traffic.counted
            await eventually(lambda: counters()["inFlight"] == 1, PATIENCE, "the request arrived")
            began = loop.time()
        assert loop.time() - began < PATIENCE
        with pytest.raises(aiohttp.ClientConnectionError):
            await waiting
