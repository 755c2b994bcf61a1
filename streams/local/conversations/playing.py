"""Plays conversations against a simulated org: it is told what will happen, and then it happens."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
import msgspec

from streams.clock import Clock
from streams.local.conversations.population import conversations
from streams.local.conversations.scenario import Scenario, all_moved

# How much faster than life conversations are played: calls of minutes, after-call work of up to
# ten, and a worker's patience of fifteen are over in half a minute.
SPEED = 60.0

# Between telling the org and the first call, in milliseconds: the first event must not be there
# before the org knows its conversation.
LEAD_MS = 500


def from_now(seed: int, count: int, clock: Clock, speed: float = SPEED) -> list[Scenario]:
    """The first conversations of a seed, the first of which begins now."""
    starts_ms = round(clock.time() * 1000) + LEAD_MS
    return all_moved(list(conversations(seed, count)), starts_ms, 1 / speed)


async def tell(session: aiohttp.ClientSession, simulator: str, played: Sequence[Scenario]) -> None:
    """Let a simulated org know what will happen. ``simulator``: its base URL. Raises ClientError
    when it is none that takes it."""
    url = f"{simulator.rstrip('/')}/_simulator/conversations"
    async with session.put(url, data=msgspec.json.encode(played)) as answer:
        answer.raise_for_status()
