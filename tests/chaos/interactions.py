"""A storm of the dialect ``interactions``."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import aiohttp

from streams.clock import SystemClock
from streams.local.generator.delivery import Delivery, DeliveryReport
from streams.local.generator.population import population
from streams.local.generator.stream import stream
from streams.local.simulator.api import Simulator
from tests.chaos.judge import Wrong, judge, modelled
from tests.chaos.ledger import InteractionLedger
from tests.chaos.plan import SENDER_PATIENCE_SECONDS, Plan
from tests.chaos.poison import OF_INTERACTIONS

# What the generator makes of one interaction, its duplicates included.
EVENTS_PER_INTERACTION = 9.0


class PlayedInteractions:
    """The interactions of a seed, their events sent evenly over the storm."""

    settings: Mapping[str, object] = MappingProxyType({})
    malformed = OF_INTERACTIONS
    # An interaction has no outcome beside those of its records.
    untold = 0

    def __init__(self, plan: Plan) -> None:
        count = round(plan.seconds * plan.events_per_second / EVENTS_PER_INTERACTION)
        self._people = population(plan.seed, max(1, count))
        self._plan = plan
        self.truths = {one.id: one.truth for one in self._people}
        self.ledger = InteractionLedger(fenced=plan.program.fenced)
        self.sent: Counter[str] = Counter()

    @property
    def interactions(self) -> int:
        return len(self._people)

    @property
    def eligible(self) -> int:
        return sum(1 for one in modelled(self.ledger, self.truths).values() if one.patches)

    async def send(self, url: str, simulator: Simulator) -> DeliveryReport:
        count = sum(1 for _ in stream(self._people, self._plan.seed))
        async with aiohttp.ClientSession() as session:
            delivery = Delivery(
                session,
                url,
                SystemClock(),
                rate=count / self._plan.seconds,
                patience=SENDER_PATIENCE_SECONDS,
            )
            return await delivery.deliver(self._noted(), asyncio.Event())

    def judge(self, simulator: Simulator) -> dict[Wrong, list[str]]:
        applied = {
            interaction_id: counters["patchesApplied"]
            for interaction_id, counters in simulator.store.counted().items()
        }
        return judge(self.ledger, accepted=self.sent, truths=self.truths, applied=applied)

    def _noted(self) -> Iterator[dict[str, Any]]:
        for event in stream(self._people, self._plan.seed):
            self.sent[event["id"]] += 1
            yield event
