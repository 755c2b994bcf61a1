"""The simulated Genesys Cloud over a socket: every kind of fault."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from tests.support.simulated_org import PATIENCE, SOON, Org
from tests.support.workers import eventually


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
