"""Scenarios written by hand: one call of one agent, in each situation that matters."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from streams.clock import rfc3339
from streams.local.conversations.history import History, Work, shown
from streams.local.conversations.scenario import Scenario, scenario_of
from streams.local.conversations.stories import Stage

# 2026-03-02T09:00:00Z.
START_MS = 1_772_442_000_000
CODE = "11111111-2222-4333-8444-555555555555"


def told(history: History, *, lag_ms: int = 0, **more: Any) -> Scenario:
    """A history as a scenario without events: each moment is shown ``lag_ms`` later."""
    states = [
        {"from": _at(moment + lag_ms), "conversation": shown(history, moment)}
        for moment in history.moments()
    ]
    return scenario_of({"id": history.kind, "events": [], "get": {"states": states}} | more)


def _at(ms: int) -> str:
    return rfc3339(ms / 1000)


def call(work: Work | None = None, *, connected: bool = True, seconds: int = 60) -> History:
    """A call of one agent that begins at START_MS and rings for a second.

    ``work``: the after-call work; pending for ever by default.
    """
    stage = Stage(Random(1), START_MS)
    end = START_MS + 1_000 + seconds * 1000
    answered = START_MS + 1_000 if connected else None
    agent = replace(
        stage.leg("agent", START_MS, answered, end),
        user_id=stage.id(),
        queue_id=stage.id(),
        prompt="timeout",
        timeout_ms=120_000,
        work=(work or Work(end)) if connected else None,
    )
    customer = stage.leg("customer", START_MS, START_MS, end, "endpoint")
    return History(stage.id(), "by-hand", (customer, agent))
