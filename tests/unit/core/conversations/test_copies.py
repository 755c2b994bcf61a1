"""The copies of a record that waits, when they come again after a rebalance."""

from __future__ import annotations

import math
from random import Random

import pytest

from streams.core.conversations.conversation import Conversation
from streams.core.conversations.policy import LookPolicy, WrapUpPolicy
from streams.core.conversations.record import MOST_RESULTS
from streams.errors import RateLimited
from tests.support.conversation_desk import Cloud, Desk, parsed
from tests.support.wrap_up_model import OURS, START, Story, StoryLeg, events, states

STORY = Story((StoryLeg(0, 100_000, acw_ends=None),), 100_000)
LOG = [(at, event) for at, raw in events(STORY) for event in parsed([raw])]
OUTAGE_MS = 700_000


class Out(Cloud):
    def get(self, now: int) -> Conversation:
        if now < START + OUTAGE_MS:
            self.gets.append(now)
            raise RateLimited("busy", retry_after=1)
        return super().get(now)


class Held(Desk):
    """An older record of another conversation waits: after a rebalance every copy comes again."""

    def begin(self) -> None:
        self._events.extend(range(len(self.log)))

    def rebalance(self) -> None:
        self._life += 1
        self._copies = set(self._from(0, len(self.retries), "retries"))

    def live_until(self, at: float) -> None:
        while True:
            due = [self.log[each][0] for each in self._events]
            due += [self.retries[each].not_before for each in self._copies]
            if not due or min(due) > at:
                return
            for _ in self._next_work(Random(0)):
                """Each step."""


@pytest.mark.parametrize("rebalances", [1, 2, 6])
def test_they_do_not_multiply(rebalances: int) -> None:
    """Each would send one more, and each of those one more after the next rebalance. What may not
    have been published at the rebalance is published again, and no more."""
    numbers = []
    for times in (0, rebalances):
        desk = Held(LOG, Out(states(STORY)), WrapUpPolicy(OURS), LookPolicy(deferrals=1_000))
        desk.begin()
        for number in range(times):
            desk.live_until(START + 400_000 + number * 45_000)
            desk.rebalance()
        desk.live_until(math.inf)
        assert list(desk.on_legs().values()) == [("patched", "eligible")]
        assert not desk.record().pending
        numbers.append(len(desk.retries))
    without, with_rebalances = numbers
    assert with_rebalances <= without + rebalances * MOST_RESULTS
