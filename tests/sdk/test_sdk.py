"""Genesys' own SDK for Python against the simulated org: what it says is what the SDK knows.

Needs the SDK, which is large: ``make test-sdk`` fetches it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from streams.local.conversations.history import Work
from streams.local.conversations.population import conversations
from streams.local.simulator.api import Simulator
from streams.local.simulator.faults import Fault, FaultPlan, Script
from streams.local.simulator.server import serving
from tests.support.scenarios import CODE, START_MS, call, told
from tests.support.scripted import LeapingClock

with warnings.catch_warnings():
    # Its modules are not ours to mend.
    warnings.simplefilter("ignore")
    sdk: Any = pytest.importorskip(
        "PureCloudPlatformClientV2", reason="Genesys' SDK is not here: make test-sdk"
    )

HISTORY = call(Work(START_MS + 61_000, START_MS + 181_000, "ININ-WRAP-UP-TIMEOUT"))
(AGENT,) = HISTORY.agents
MANY = list(conversations(5, 40))

# What the SDK calls two of the events; the others by their own names.
EVENTS = {"Acw": "AfterCallWork", "Outbound": "OutboundInit"}


class OrgClock(LeapingClock):
    """The org's time, as a test sets it; pauses are real."""

    ms: int = START_MS + 200_000

    def time(self) -> float:
        return self.ms / 1000


@dataclass
class Genesys:
    simulator: Simulator
    clock: OrgClock
    client: Any

    def conversations(self) -> Any:
        return sdk.ConversationsApi(self.client)

    async def ask(self, call: Callable[..., Any], *args: Any, **how: Any) -> Any:
        """The SDK blocks: it has a thread of its own."""
        return await asyncio.to_thread(call, *args, **how)


@pytest.fixture
async def genesys() -> AsyncIterator[Genesys]:
    sdk.configuration.live_reload_config = False
    clock = OrgClock()
    simulator = Simulator(clock=clock)
    simulator.conversations.store.load([told(HISTORY), *MANY])
    async with serving(simulator) as url:
        at = urlsplit(url)
        client = sdk.api_client.ApiClient()
        client.set_gateway(at.hostname, "http", at.port, "", "")
        await asyncio.to_thread(client.get_client_credentials_token, "id", "secret")
        yield Genesys(simulator, clock, client)


def strangers(content: Any, model: Any) -> list[str]:
    """Fields of the JSON that the SDK's model does not have, and words that it does not know."""
    match content:
        case dict() if hasattr(model, "attribute_map"):
            names = {said: own for own, said in model.attribute_map.items()}
            found = [f"{type(model).__name__}.{each}" for each in content if each not in names]
            for said, each in content.items():
                if said in names:
                    value = getattr(model, names[said])
                    found += [f"{said}={each}"] if str(value) == "outdated_sdk_version" else []
                    found += strangers(each, value)
            return found
        case list() if isinstance(model, list):
            assert len(content) == len(model)
            pairs = zip(content, model, strict=True)
            return [each for one, other in pairs for each in strangers(one, other)]
        case _:
            return []


async def test_all_that_get_shows_is_known(genesys: Genesys) -> None:
    store = genesys.simulator.conversations.store
    for scenario in MANY:
        for state in scenario.get.states:
            genesys.clock.ms = state.since_ms
            read = await genesys.ask(
                genesys.conversations().get_conversation, scenario.conversation_id
            )
            assert type(read).__name__ == "Conversation"
            assert strangers(store.find(scenario.conversation_id), read) == []


def test_all_events_are_known() -> None:
    client = sdk.api_client.ApiClient()
    for event in (event for scenario in MANY for event in scenario.events):
        name = event["detail-type"].rpartition("}.")[2]
        words = "".join(word.capitalize() for word in name.split("."))
        kind = f"{words}DetailEventTopic{EVENTS.get(words, words)}Event"
        body = event["detail"]["eventBody"]
        read = client._ApiClient__deserialize(body, kind)
        assert strangers(body, read) == [], name


async def test_a_participants_code(genesys: Genesys) -> None:
    wrap_up = sdk.WrapupInput()
    wrap_up.code, wrap_up.disable_end_time_updates = CODE, True
    body = sdk.MediaParticipantRequest()
    body.wrapup = wrap_up
    patch = genesys.conversations().patch_conversation_participant
    assert await genesys.ask(patch, HISTORY.id, AGENT.id, body) is None
    post = genesys.conversations().post_conversations_call_participant_communication_wrapup
    of_call = (HISTORY.id, AGENT.id, AGENT.communications[0].id)
    assert await genesys.ask(post, *of_call, body=wrap_up) is None
    written = genesys.simulator.conversations.store.writes
    assert [(each.method, each.code, each.keeps_end_time) for each in written] == [
        ("participant", CODE, True),
        ("communication", CODE, True),
    ]
    read = await genesys.ask(genesys.conversations().get_conversation, HISTORY.id)
    (agent,) = [each for each in read.participants if each.purpose == "agent"]
    assert agent.wrapup.code == CODE


async def test_errors(genesys: Genesys) -> None:
    api = genesys.conversations()
    for status, code, ask in (
        (404, "not.found", lambda: api.get_conversation("unknown")),
        (
            400,
            "not.a.user",
            lambda: api.patch_conversations_call_participant(
                HISTORY.id, AGENT.id, sdk.MediaParticipantRequest()
            ),
        ),
    ):
        with pytest.raises(sdk.rest.ApiException) as caught:
            await genesys.ask(ask)
        content = json.loads(caught.value.body)
        read = genesys.client._ApiClient__deserialize(content, "ErrorBody")
        assert (caught.value.status, read.status, read.code) == (status, status, code)
        assert strangers(content, read) == []


async def test_a_429_is_waited_out(genesys: Genesys) -> None:
    faults = (Fault(status=429, retry_after=1),)
    genesys.simulator.faults.plan(FaultPlan(scripts=(Script(faults, HISTORY.id),)))
    began = time.monotonic()
    read = await genesys.ask(genesys.conversations().get_conversation, HISTORY.id)
    assert read.id == HISTORY.id
    assert time.monotonic() - began >= 1
    assert genesys.simulator.store.counters(HISTORY.id).gets == 2


async def test_a_429_says_what_the_sdk_reads(genesys: Genesys) -> None:
    genesys.simulator.limit.allowed = 300
    genesys.simulator.fail(Fault(status=429))
    with pytest.raises(sdk.rest.ApiException) as caught:
        await genesys.ask(genesys.conversations().get_conversation, HISTORY.id)
    content = json.loads(caught.value.body)
    read = genesys.client._ApiClient__deserialize(content, "ErrorBody")
    assert strangers(content, read) == []
    assert read.limit.value == 300


async def test_what_doctor_asks(genesys: Genesys) -> None:
    routing, expand = sdk.RoutingApi(genesys.client), ["transports"]
    assert (await genesys.ask(routing.get_routing_wrapupcode, CODE)).id == CODE
    page = await genesys.ask(routing.get_routing_queue_wrapupcodes, AGENT.queue_id)
    assert page.entities == []
    notifications = sdk.NotificationsApi(genesys.client)
    topics = await genesys.ask(notifications.get_notifications_availabletopics, expand=expand)
    on_bridge = [each.id for each in topics.entities if "EventBridge" in each.transports]
    assert "v2.detail.events.conversation.{id}.acw" in on_bridge
    assert (await genesys.ask(sdk.TokensApi(genesys.client).get_tokens_me)).o_auth_client.id
    organization = sdk.OrganizationApi(genesys.client)
    assert (await genesys.ask(organization.get_organizations_me)).state == "active"


async def test_a_users_grant(genesys: Genesys) -> None:
    users = sdk.UsersApi(genesys.client)
    with pytest.raises(sdk.rest.ApiException, match="user context"):
        await genesys.ask(users.get_users_me)
    refresh = genesys.client.refresh_code_authorization_token
    await genesys.ask(refresh, "id", "secret", "r-1")
    assert (await genesys.ask(users.get_users_me)).state == "active"


def test_the_regions_are_those_of_the_sdk() -> None:
    regions = importlib.import_module("streams.genesys.regions")
    hosts = {each.value for each in sdk.PureCloudRegionHosts}
    assert {f"https://api.{region.domain}" for region in regions.known()} == hosts
