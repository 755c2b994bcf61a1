"""Calls whose roads through the worker differ, and what befalls their codes."""

from __future__ import annotations

import asyncio
import json
from random import Random

from tests.support.conversation_desk import Cloud
from tests.support.conversation_world import ConversationWorker, ConversationWorld, live
from tests.support.wrap_up_model import THEIRS, TIMEOUT, Story, StoryLeg, events, states

LEG = StoryLeg(0, 100_000, acw_ends=60_000, code=TIMEOUT)
TIMED_OUT = Story((LEG,), 100_000, lag_ms=900)
CODED = Story((StoryLeg(0, 100_000, acw_ends=30_000, code=THEIRS),), 100_000)
HANDED_ON = Story(
    (
        StoryLeg(0, 20_000, connected=False),
        LEG,
        StoryLeg(110_000, 180_000, acw_ends=30_000, code=THEIRS),
    ),
    180_000,
    lag_ms=900,
)

STORIES: dict[str, tuple[Story, tuple[str, ...]]] = {
    "timed out": (TIMED_OUT, ()),
    "in doubt, applied": (TIMED_OUT, ("lost",)),
    "in doubt, not applied": (TIMED_OUT, ("gone",)),
    "busy": (TIMED_OUT, ("busy",)),
    "coded": (CODED, ()),
    "handed on": (HANDED_ON, ()),
    "nobody": (Story((), 60_000), ()),
}

Log = list[tuple[int, bytes]]


def log_of(story: Story) -> Log:
    """Its events, each with the time at which Kafka has it."""
    return [(at, json.dumps(raw).encode()) for at, raw in events(story)]


def world_of(name: str) -> tuple[ConversationWorld, Story, Log]:
    """A world in which this call is over, made anew for each test."""
    story, faults = STORIES[name]
    return ConversationWorld(cloud=Cloud(states(story), patch_faults=faults)), story, log_of(story)


def steps_of(name: str) -> range:
    """The number of every step of this call. Whoever tries them all does so in one test: a test of
    its own for each of a thousand steps takes longer to be collected than to run."""
    world, _, log = world_of(name)
    asyncio.run(live(ConversationWorker(world), log, Random(1)))
    assert world.journal
    return range(len(world.journal))
