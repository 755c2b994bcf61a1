"""The client of the conversations API against the simulated one, in all three methods."""

from __future__ import annotations

import pytest

from streams.errors import BadRequest, Forbidden, WrapUpClosed
from streams.genesys.api import CallContext
from streams.genesys.conversation_reading import MEDIA
from streams.genesys.conversations import LegAddress
from streams.genesys.settings import WrapUpMethod
from streams.local.conversations.history import Work
from streams.local.conversations.population import conversations
from streams.local.simulator.api import Simulator
from streams.local.simulator.conversations import Org
from streams.local.simulator.server import serving
from tests.support.conversations import conversations_at
from tests.support.scenarios import CODE, START_MS, call, told
from tests.support.scripted import LeapingClock

HISTORY = call(Work(START_MS + 61_000, START_MS + 181_000, "ININ-WRAP-UP-TIMEOUT"))
(AGENT,) = HISTORY.agents
LEG = LegAddress(HISTORY.id, AGENT.id, AGENT.communications[0].id, "voice")


def simulator() -> Simulator:
    one = Simulator()
    one.conversations.store.load([told(HISTORY)])
    return one


@pytest.mark.parametrize("method", ["participant", "communication", "call"])
async def test_look_set_and_look_again(method: WrapUpMethod) -> None:
    org = simulator()
    async with (
        serving(org) as url,
        conversations_at(url, LeapingClock(), wrap_up_method=method, refresh_token="r-1") as client,
    ):
        before = await client.look(HISTORY.id, CallContext())
        assert await client.set_code(LEG, CODE, CallContext()) == 202
        after = await client.look(HISTORY.id, CallContext())
    codes = [
        [each.wrap_up.code for each in reading.participants if each.wrap_up is not None]
        for reading in (before, after)
    ]
    assert codes == [["ININ-WRAP-UP-TIMEOUT"], [CODE]]
    (write,) = org.conversations.store.writes
    assert (write.method, write.keeps_end_time) == (method, True)


async def test_refusals_are_what_they_mean() -> None:
    org = simulator()
    async with serving(org) as url, conversations_at(url, LeapingClock()) as client:
        org.conversations.org = Org(closes_after_seconds=0)
        with pytest.raises(WrapUpClosed):
            await client.set_code(LEG, CODE, CallContext())
        org.conversations.org = Org(needs_user=True)
        with pytest.raises(BadRequest, match="GENESYS_CLOUD_REFRESH_TOKEN"):
            await client.set_code(LEG, CODE, CallContext())
        org.conversations.org = Org(
            missing_permissions=frozenset({"conversation:participant:wrapup"})
        )
        with pytest.raises(Forbidden, match="conversation:participant:wrapup"):
            await client.set_code(LEG, CODE, CallContext())
        nobody = LegAddress(HISTORY.id, "nobody", None, "voice")
        org.conversations.org = Org()
        with pytest.raises(BadRequest, match="nobody in the conversation"):
            await client.set_code(nobody, CODE, CallContext())


async def test_all_that_the_generator_tells_is_read() -> None:
    org, scenarios = simulator(), list(conversations(3, 60))
    org.conversations.store.load(scenarios)
    async with serving(org) as url, conversations_at(url, LeapingClock()) as client:
        for scenario in scenarios:
            reading = await client.look(scenario.conversation_id, CallContext())
            assert reading.ended_at is not None
            media = {one.medium for each in reading.participants for one in each.communications}
            assert media <= set(MEDIA.values())
            campaign = any(leg.why == "campaign" for leg in scenario.expected.leave)
            assert reading.campaign or not campaign
