"""Where each task stands: down to what it waits for, alike ones together, and never too many."""

from __future__ import annotations

import asyncio
import logging

import pytest

from streams.worker.health import stacks
from streams.worker.health.stacks import log_stacks
from tests.support.event_loop import until_idle

log = logging.getLogger("streams.worker.run")


async def outer(depth: int) -> None:
    if depth:
        await outer(depth - 1)
    else:
        await asyncio.Event().wait()


async def logged(caplog: pytest.LogCaptureFixture, *tasks: asyncio.Task[None]) -> list[str]:
    await until_idle()
    log_stacks(log)
    for task in tasks:
        task.cancel()
    return [f"{each.getMessage()}: {vars(each).get('stack')}" for each in caplog.records]


async def test_alike_tasks_are_one_line_with_the_innermost_call_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = [asyncio.create_task(outer(1)) for _ in range(3)]
    lines = await logged(caplog, *tasks)

    (ours,) = (line for line in lines if "outer" in line and "3 tasks" in line)
    assert ours.index(" wait < ") < ours.index(" outer < ")
    assert ours.count("test_stacks.py") == 2
    assert lines[0] == ours, "the most frequent first"
    assert "test_stacks.py" in lines[-1], "this thread"
    assert "where the threads stand" in lines[-1]


async def test_a_deep_stack_is_cut_at_its_outer_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacks, "MOST_CALLS", 5)
    lines = await logged(caplog, asyncio.create_task(outer(50)))

    (ours,) = (line for line in lines if "outer: " in line)
    assert ours.count(" < ") == 4
    assert " wait < " in ours


async def test_no_more_different_ones_than_a_log_bears(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacks, "MOST_STACKS", 3)
    tasks = [asyncio.create_task(outer(depth)) for depth in range(10)]
    lines = await logged(caplog, *tasks)

    assert sum("tasks stand" in line for line in lines) == 3
    assert sum(line.startswith("other stacks are left out") for line in lines) == 1
