"""Conversations that begin now, and a simulated org that knows them."""

from __future__ import annotations

import aiohttp
import pytest

from streams.local.conversations.playing import LEAD_MS, SPEED, from_now, tell
from streams.local.conversations.population import conversations
from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving
from tests.support.scripted import LeapingClock


def test_the_first_begins_in_a_moment_and_the_rest_as_fast_as_it_is_played() -> None:
    clock = LeapingClock()
    told = list(conversations(1, 20))
    played = from_now(1, 20, clock)
    first = min(each.starts_ms for each in played)
    assert first == round(clock.time() * 1000) + LEAD_MS
    lasted = [max(each.starts_ms for each in many) - min(each.starts_ms for each in many)
              for many in (told, played)]  # fmt: skip
    assert abs(lasted[1] - lasted[0] / SPEED) <= 2
    assert [each.conversation_id for each in played] == [each.conversation_id for each in told]


async def test_the_org_knows_them_then() -> None:
    simulator = Simulator()
    played = from_now(1, 3, LeapingClock())
    async with serving(simulator) as url, aiohttp.ClientSession() as session:
        await tell(session, f"{url}/", played)
        with pytest.raises(aiohttp.ClientError):
            await tell(session, f"{url}/nowhere", played)
    # The clock of the simulator is ours: what was played in the past is over.
    store = simulator.conversations.store
    assert all(store.find(each.conversation_id) is not None for each in played)
