"""The simulated Genesys Cloud over a socket: every route."""

from __future__ import annotations

import re

import aiohttp
import pytest

from streams.local.simulator.api import Simulator
from streams.local.simulator.tokens import Client
from tests.support.simulated_org import CODE, ROUTE, TRUTH, Org, running


async def test_a_token_for_any_client_and_its_life() -> None:
    async with running(Simulator(token_lifetime=300)) as org:
        answer = await org.sign_in("who:ever")
    assert answer.status == 200
    assert answer.body["token_type"] == "bearer"
    assert answer.body["expires_in"] == 300


async def test_a_wrong_client_is_refused_in_oauths_words() -> None:
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


async def test_get_gives_the_truth_with_etag_rate_headers_and_correlation_id(org: Org) -> None:
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
        "value": 1,
    }
