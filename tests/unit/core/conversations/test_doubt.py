"""A code whose answer was lost: looked for, for as long as it may still take effect."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from streams.core.conversations.look import assess, setting_of
from streams.core.conversations.policy import LookPolicy, WrapUpPolicy
from streams.core.conversations.record import ConversationRecord, OpenLeg, Sent
from streams.core.records import Leg
from tests.support.conversation_desk import Cloud, Desk, parsed
from tests.support.wrap_up_model import OURS, START, TIMEOUT, Story, StoryLeg, events, name, states

LEG = StoryLeg(0, 100_000, acw_ends=60_000, code=TIMEOUT)
STORY = Story((LEG,), 100_000, lag_ms=900)
LOG = [(at, event) for at, raw in events(STORY) for event in parsed([raw])]

# A time-out of ten seconds, at the end of which the API has done it after all.
LATE_MS = 9_500

# By then all is over, also where the code waited at the gate and its window began anew.
SOON_MS = 1_200_000

LEG_ID = name(0)


def desk(*, verify_ms: int, gate_ms: int, visible_ms: int = 1_000) -> Desk:
    cloud = Cloud(
        states(STORY),
        visible_ms=visible_ms,
        patch_faults=("lost",),
        gate_ms=gate_ms,
        late_ms=LATE_MS,
    )
    policy = replace(WrapUpPolicy(OURS), verify_ms=verify_ms)
    return Desk(LOG, cloud, policy)


@pytest.mark.parametrize("gate_ms", [0, 30_000, 70_000, 170_000])
@pytest.mark.parametrize("verify_ms", [60_000, 0])
def test_it_is_not_sent_again_while_it_may_take_effect(verify_ms: int, gate_ms: int) -> None:
    """However long it waited for its turn: the window begins when nobody waits for it any more."""
    done = desk(verify_ms=verify_ms, gate_ms=gate_ms)

    done.live()

    assert len(done.cloud.patches) == 1
    assert done.on_legs() == {LEG_ID: ("patched", "eligible")}


@pytest.mark.parametrize("gate_ms", [0, 170_000])
def test_nor_by_whoever_takes_over_in_the_middle_of_it(gate_ms: int) -> None:
    """The intent says when it was made; when the code left, and whether, nobody knows."""
    for steps in range(1, 60):
        done = desk(verify_ms=60_000, gate_ms=gate_ms)
        done.live(Random(1), [steps])
        assert len(done.cloud.applied) == 1, steps
        assert done.on_legs() == {LEG_ID: ("patched", "eligible")}, steps
        assert done.now < START + SOON_MS, steps


@pytest.mark.parametrize("ahead", [30_000, 3_600_000])
def test_a_clock_set_forward_ends_no_window(ahead: int) -> None:
    done = desk(verify_ms=60_000, gate_ms=0, visible_ms=5_000)
    jumps = [ahead]
    done.set_back = lambda: -jumps.pop() if done.cloud.patches and jumps else 0

    done.live()

    assert not jumps
    assert len(done.cloud.patches) == 1
    assert done.on_legs() == {LEG_ID: ("patched", "eligible")}


def test_one_that_never_took_effect_is_sent_again() -> None:
    cloud = Cloud(states(STORY), patch_faults=("gone",), gate_ms=70_000, late_ms=LATE_MS)
    done = Desk(LOG, cloud, WrapUpPolicy(OURS))

    done.live()

    first, second = (at for at, _ in cloud.patches)
    assert second - first >= 60_000
    assert done.on_legs() == {LEG_ID: ("patched", "eligible")}


def test_one_that_was_accepted_is_concluded_though_no_time_to_look_is_kept() -> None:
    """The older release keeps none once a look has failed; the window is over."""
    shown = Cloud(states(STORY)).get(START + 400_000)
    sent = Sent(OURS, START + 170_000, accepted_at=START + 171_000, status=202)
    record = ConversationRecord("c-1", open=(OpenLeg(Leg(LEG_ID), sent=sent),))
    setting = setting_of(record, shown, START + 400_000, 0, WrapUpPolicy(OURS))

    found = assess(record, setting, START, LookPolicy())

    assert found.waiting == []
    assert [verdict.decision.value for _, verdict in found.verdicts] == ["unconfirmed"]
