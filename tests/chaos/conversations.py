"""A storm of the dialect ``conversations``."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

import aiohttp

from streams.clock import Clock, SystemClock
from streams.local.conversations.playing import LEAD_MS, SPEED
from streams.local.conversations.population import conversation
from streams.local.conversations.rights import Rights
from streams.local.conversations.scenario import Scenario, moved
from streams.local.conversations.truth import Rules
from streams.local.generator.delivery import Delivery, DeliveryReport
from streams.local.simulator.api import Simulator
from streams.local.simulator.conversation_store import ConversationStore
from streams.timestamps import epoch_ms
from tests.chaos.judge import Wrong
from tests.chaos.leg_judge import judge_legs
from tests.chaos.leg_ledger import LegLedger
from tests.chaos.plan import SENDER_PATIENCE_SECONDS, Plan
from tests.chaos.poison import OF_CONVERSATIONS

# What the generator makes of one conversation, those that the bridge skips included.
EVENTS_PER_CONVERSATION = 7.3

# Most conversations are over so long after their beginning, the last agent's time included. The
# last one begins so long before the storm's end, so that each is played while it rages.
LASTS_SECONDS = 20.0

# What the bridges accept (contract); every other event is skipped.
TAKEN = frozenset({"user.end", "customer.end", "acw", "wrapup", "outbound"})

# For how long an accepted code, or one in doubt, is looked for. Longer than the simulated API keeps
# a PATCH back that takes effect after its client has left (2.5 s): without an ETag a code that is
# sent again meanwhile is set twice, which is a limit that is told, and no promise broken.
VERIFY_SECONDS = 10.0

# A leg's length is made of times that are rounded to milliseconds as they are played faster: one so
# near the threshold may fall on either side of it, and one so near nothing is none. Neither is
# played.
EDGE_MS = 3

_RULES = Rules()
_THRESHOLD_MS = round(_RULES.threshold_ms / SPEED)


class PlayedConversations:
    """The conversations of a seed, ``SPEED`` times faster than they went, beginning one after the
    other. A conversation is made, and told to the API, when it begins: those of half an hour do not
    have to fit into memory before."""

    settings: Mapping[str, object] = MappingProxyType(
        {
            "genesys_api": "conversations",
            "duration_threshold_ms": _THRESHOLD_MS,
            "wrap_up_margin_seconds": _RULES.margin_ms / 1000 / SPEED,
            "wrap_up_patience_seconds": _RULES.patience_ms / 1000 / SPEED,
            "wrap_up_verify_seconds": VERIFY_SECONDS,
        }
    )
    malformed = OF_CONVERSATIONS
    truths: Mapping[str, dict[str, Any]] = MappingProxyType({})

    def __init__(self, plan: Plan, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._seed = plan.seed
        self._seconds = max(plan.seconds / 2, plan.seconds - LASTS_SECONDS)
        of_the_time = self._seconds * plan.events_per_second / EVENTS_PER_CONVERSATION
        self._count = max(1, round(of_the_time))
        self.ledger = LegLedger(fenced=plan.program.fenced)
        self.rights = Rights()
        self.sent: Counter[str] = Counter()

    @property
    def interactions(self) -> int:
        return self._count

    @property
    def eligible(self) -> int:
        return len(self.rights.due)

    @property
    def untold(self) -> int:
        return sum(key not in self.ledger.legs for key in (*self.rights.due, *self.rights.refused))

    async def send(self, url: str, simulator: Simulator) -> DeliveryReport:
        arrivals = self.arrivals(simulator.conversations.store)
        async with aiohttp.ClientSession() as session:
            delivery = Delivery(session, url, self._clock, patience=SENDER_PATIENCE_SECONDS)
            return await delivery.deliver_at(arrivals, asyncio.Event())

    def judge(self, simulator: Simulator) -> dict[Wrong, list[str]]:
        return judge_legs(
            self.ledger,
            accepted=self.sent,
            rights=self.rights,
            writes=simulator.conversations.store.writes,
            gets={key: each["gets"] for key, each in simulator.store.counted().items()},
        )

    def arrivals(self, store: ConversationStore) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each event with the time at which it arrives, epoch milliseconds, from now on. Its
        conversation is in ``store`` before."""
        begins_ms = round(self._clock.time() * 1000) + LEAD_MS
        apart_ms = self._seconds * 1000 / self._count
        waiting: list[tuple[int, int, dict[str, Any]]] = []
        order = count()
        for number, told in enumerate(self._told()):
            starts_ms = begins_ms + round(number * apart_ms)
            while waiting and waiting[0][0] < starts_ms:
                yield self._noted(*heapq.heappop(waiting))
            scenario = moved(told, starts_ms, 1 / SPEED)
            store.load([scenario])
            self.rights.enter(scenario)
            for at_ms, event in scenario.arrivals():
                heapq.heappush(waiting, (at_ms, next(order), event))
        while waiting:
            yield self._noted(*heapq.heappop(waiting))

    def _told(self) -> Iterator[Scenario]:
        """The first conversations of the seed that can be played so fast."""
        playable = (
            told
            for told in (conversation(self._seed, index) for index in count())
            if not on_the_edge(told)
        )
        for _ in range(self._count):
            yield next(playable)

    def _noted(self, at_ms: int, _: int, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if event["detail-type"].rpartition("}.")[2] in TAKEN:
            self.sent[event["id"]] += 1
        return at_ms, event


def on_the_edge(told: Scenario) -> bool:
    """Whether a leg of it was connected for about as long as the threshold, or for next to no
    time."""
    edge_ms = EDGE_MS * SPEED
    for participant in told.get.states[-1].conversation["participants"]:
        begun, ended = (
            epoch_ms(participant.get(each, "")) for each in ("connectedTime", "endTime")
        )
        if participant["purpose"] == "agent" and begun is not None and ended is not None:
            lasted = ended - begun
            if lasted <= edge_ms or abs(lasted - _RULES.threshold_ms) <= edge_ms:
                return True
    return False
