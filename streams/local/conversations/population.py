"""Scenarios drawn from a seed: one conversation after the other, each the same however many are
asked for. So a simulator and a generator in two processes agree without talking to each other."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from streams.clock import rfc3339
from streams.local.conversations.events import events
from streams.local.conversations.history import History, shown
from streams.local.conversations.scenario import Answers, Get, Reply, Scenario, State
from streams.local.conversations.stories import STORIES, Stage
from streams.local.conversations.truth import Rules, expected
from streams.local.generator.population import ARRIVAL_MS, OPENING_MS

# How long after something happened GET shows it, at most: an event may be there before.
_SHOWN_AFTER_MS = 1_000

# Shares of conversations whose code shows late, and whose wrap-up is closed. Made up, for nobody
# outside Genesys knows them: so many that a hundred conversations show both.
_SHOWS_LATE = 0.10
_CLOSED = 0.10

CLOSED = Reply(
    400,
    {
        "message": "Participant has no active conversations",
        "code": "conversation.error.participant.no.active.conversations",
        "status": 400,
    },
)


def conversations(seed: int, count: int, rules: Rules | None = None) -> Iterator[Scenario]:
    """The first ``count`` conversations of a seed, in the order in which they begin."""
    for index in range(count):
        yield conversation(seed, index, rules)


def conversation(seed: int, index: int, rules: Rules | None = None) -> Scenario:
    """One conversation of a seed, with what is right for it under these rules."""
    random = Random(f"conversation {seed} {index}")
    start_ms = OPENING_MS + index * ARRIVAL_MS + random.randrange(ARRIVAL_MS)
    stage = Stage(random, start_ms)
    kind = stage.pick({name: weight for name, (_, weight) in STORIES.items()})
    tell, _ = STORIES[kind]
    history = tell(stage)
    closed = random.random() < _CLOSED
    late = round(random.uniform(1, 20), 1) if random.random() < _SHOWS_LATE else None
    return Scenario(
        id=f"{seed}-{index}-{kind}",
        events=events(history, random),
        get=Get(_states(history, random)),
        answers=Answers(patch=CLOSED if closed else None, visible_after_seconds=late),
        expected=expected(history, rules or Rules(), refused=closed),
    )


def delivered(scenarios: Iterable[Scenario]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events of all scenarios as they arrive, each with its time in epoch milliseconds."""
    streams = [
        [(at_ms, number, place, event) for place, (at_ms, event) in enumerate(each.arrivals())]
        for number, each in enumerate(scenarios)
    ]
    for at_ms, _, _, event in heapq.merge(*streams):
        yield at_ms, event


def _states(history: History, random: Random) -> list[State]:
    found: list[State] = []
    since = 0
    for moment in history.moments():
        body = shown(history, moment)
        since = max(since, moment + random.randrange(_SHOWN_AFTER_MS))
        if not found or found[-1].conversation != body:
            found.append(State(rfc3339(since / 1000), body))
    return found
