"""Which grant is asked for: client credentials, or a user's refresh token."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs

import pytest

from streams.errors import Unauthorized
from streams.genesys.api import CallContext
from tests.support.conversations import conversation, conversations_at
from tests.support.scripted import LeapingClock, ScriptedGenesys, reply

REFRESH = "r3fr3sh-5c2e"


def forms(genesys: ScriptedGenesys) -> list[dict[str, list[str]]]:
    return [parse_qs(request.body.decode()) for request in genesys.token_requests]


async def test_client_credentials_send_no_scope_unless_one_is_set(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    genesys.usual = reply(200, conversation())
    for scopes in (None, "conversations"):
        async with conversations_at(genesys.url, clock, scopes=scopes) as client:
            await client.look("c-1", CallContext())
    assert forms(genesys) == [
        {"grant_type": ["client_credentials"]},
        {"grant_type": ["client_credentials"], "scope": ["conversations"]},
    ]


async def test_a_users_grant(genesys: ScriptedGenesys, clock: LeapingClock) -> None:
    genesys.usual = reply(200, conversation())
    async with conversations_at(genesys.url, clock, refresh_token=REFRESH) as client:
        await client.look("c-1", CallContext())
    assert forms(genesys) == [{"grant_type": ["refresh_token"], "refresh_token": [REFRESH]}]


async def test_a_refresh_token_that_is_replaced_is_used_from_then_on(
    genesys: ScriptedGenesys, clock: LeapingClock, caplog: pytest.LogCaptureFixture
) -> None:
    genesys.usual = reply(200, conversation())
    for following in ("second", "third", "third"):
        granted = {"access_token": "t", "expires_in": 600, "refresh_token": following}
        genesys.token_script.append(reply(200, granted))
    async with conversations_at(genesys.url, clock, refresh_token=REFRESH) as client:
        for _ in range(3):
            await client.look("c-1", CallContext())
            clock.now += 601
        await client.look("c-1", CallContext())
    assert [form["refresh_token"] for form in forms(genesys)] == [
        [REFRESH], ["second"], ["third"], ["third"]
    ]  # fmt: skip
    warned = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "GENESYS_CLOUD_REFRESH_TOKEN" in warned[0].getMessage()
    assert "second" not in caplog.text


async def test_a_refresh_token_that_is_refused_is_named_and_never_shown(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    granted = {"access_token": "t", "expires_in": 600, "refresh_token": "second-4d1f"}
    genesys.token_script.append(reply(200, granted))
    genesys.usual = reply(200, conversation())
    async with conversations_at(genesys.url, clock, refresh_token=REFRESH) as client:
        await client.look("c-1", CallContext())
        clock.now += 601
        said = {"error": "invalid_grant", "error_description": f"no {REFRESH}, no second-4d1f"}
        genesys.token_script.append(reply(400, said))
        with pytest.raises(Unauthorized, match="GENESYS_CLOUD_REFRESH_TOKEN") as caught:
            await client.look("c-1", CallContext())
    assert REFRESH not in str(caught.value)
    assert "second-4d1f" not in str(caught.value)


async def test_client_credentials_keep_no_refresh_token(
    genesys: ScriptedGenesys, clock: LeapingClock
) -> None:
    granted = {"access_token": "t", "expires_in": 600, "refresh_token": "unasked"}
    genesys.token_script.append(reply(200, granted))
    genesys.usual = reply(200, conversation())
    async with conversations_at(genesys.url, clock) as client:
        await client.look("c-1", CallContext())
        clock.now += 601
        await client.look("c-1", CallContext())
    assert [form["grant_type"] for form in forms(genesys)] == [["client_credentials"]] * 2
