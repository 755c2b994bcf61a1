"""What an operator has decided anew: a dead letter's redrive, and a replay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from streams.core.conversations.policy import WrapUpPolicy
from streams.core.records import Verdict
from streams.errors import Forbidden
from tests.support.conversation_desk import Cloud, Desk, parsed
from tests.support.wrap_up_model import (
    OURS,
    THEIRS,
    TIMEOUT,
    Story,
    StoryLeg,
    events,
    states,
)

POLICY = WrapUpPolicy(OURS)
LEG = StoryLeg(0, 100_000, acw_ends=60_000, code=TIMEOUT)
STORY = Story((LEG,), 100_000, lag_ms=900)


class Forbidding(Cloud):
    """Lets nobody set a code, until it does."""

    forbids = True

    def patch(self, now: int, participant_id: str, code: str) -> int:
        if self.forbids:
            raise Forbidden("no", status=403)
        return super().patch(now, participant_id, code)


def desk(story: Story = STORY, cloud: Cloud | None = None, **policy: Any) -> Desk:
    """With each of the story's events as it happens."""
    log = [(at, event) for at, raw in events(story) for event in parsed([raw])]
    ready = Desk(log, cloud or Cloud(states(story)), replace(POLICY, **policy))
    ready.live()
    return ready


def on_leg(done: Desk, redriven: int = 0) -> Verdict:
    return done.final()[("leg", "agent-0", redriven, None)]


class TestRedriven:
    def test_a_leg_that_failed_is_decided_anew_under_its_own_id(self) -> None:
        cloud = Forbidding(states(STORY))
        done = desk(cloud=cloud)
        cloud.forbids = False
        done.redrive(0)
        assert on_leg(done).reason == "forbidden"
        assert on_leg(done, 1).decision == "patched"
        assert done.final()[("record", 0, 1, None)].decision == "noted"
        assert len(cloud.applied) == 1

    def test_a_leg_that_did_not_fail_keeps_its_outcome(self) -> None:
        done = desk(replace(STORY, legs=(replace(LEG, code=THEIRS),)))
        done.redrive(0)
        assert [key for key in done.final() if key[0] == "leg"] == [("leg", "agent-0", 0, None)]

    def test_of_a_conversation_that_was_forgotten_no_id_is_told_twice(self) -> None:
        cloud = Forbidding(states(STORY))
        done = desk(cloud=cloud)
        cloud.forbids, done.table = False, None
        done.redrive(0)
        assert on_leg(done).reason == "forbidden"
        assert on_leg(done, 1).decision == "patched"


class TestReplayed:
    def test_every_leg_is_decided_anew(self) -> None:
        """A threshold was too high, and is mended."""
        done = desk(threshold_ms=200_000)
        assert on_leg(done).reason == "duration-below-threshold"
        done.policy = POLICY
        done.redrive(0, replayed=True)
        assert on_leg(done).reason == "duration-below-threshold"
        assert on_leg(done, 1).decision == "patched"
        assert len(done.cloud.applied) == 1

    def test_a_leg_that_has_its_code_gets_no_second_one(self) -> None:
        done = desk()
        done.redrive(0, replayed=True)
        assert on_leg(done).decision == "patched"
        assert on_leg(done, 1).reason == "wrap-up-already-set"
        assert len(done.cloud.patches) == 1

    def test_of_two_records_each_has_its_own_number(self) -> None:
        done = desk()
        done.redrive(0, replayed=True)
        done.redrive(1, replayed=True)
        assert {key[2] for key in done.final() if key[0] == "leg"} == {0, 1, 2}
