"""Two legs that are due in one look, whose worker dies twice: each is set once, and told so."""

from __future__ import annotations

from random import Random

import pytest

from streams.core.conversations.policy import LookPolicy, WrapUpPolicy
from tests.support.conversation_desk import Cloud, Desk, parsed
from tests.support.wrap_up_model import OURS, TIMEOUT, Story, StoryLeg, events, states

LEGS = tuple(StoryLeg(0, 100_000, acw_ends=60_000, code=TIMEOUT) for _ in range(2))
STORY = Story(LEGS, 100_000)
LOG = [(at, event) for at, raw in events(STORY) for event in parsed([raw])]
PATCHED = {"agent-0": ("patched", "eligible"), "agent-1": ("patched", "eligible")}

# Steps of the desk after which it dies: among them all of the look that sends the codes.
FIRST_LIFE = range(28, 48)
# Of the second life: it has events of the first one again.
SECOND_LIFE = range(1, 45)


@pytest.mark.parametrize("verify_ms", [60_000, 0])
def test_a_leg_that_a_look_has_decided_is_not_taken_for_a_new_one(verify_ms: int) -> None:
    """The first worker dies after one code, the next one after it found that code, and before it
    has told so: the record that says that the other one's code leaves must still have both."""
    policy = WrapUpPolicy(OURS, verify_ms=verify_ms)
    for first in FIRST_LIFE:
        for second in SECOND_LIFE:
            desk = Desk(LOG, Cloud(states(STORY), visible_ms=0), policy, LookPolicy(acw_ms=0))
            desk.live(Random(0), [first, second])
            sent = sorted(participant_id for _, participant_id, _ in desk.cloud.applied)
            assert (desk.on_legs(), sent) == (PATCHED, sorted(PATCHED)), (first, second)
