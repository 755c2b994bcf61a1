"""Asking a gate for leave, and letting its time pass."""

from __future__ import annotations

import asyncio

from streams.genesys.budget import Quota
from streams.genesys.gate import RELOOK_SECONDS, Gate, Permit, Turn
from tests.support.event_loop import until_idle
from tests.support.scripted import SteppedClock

Entry = asyncio.Task[Permit]


async def after(clock: SteppedClock, seconds: float) -> None:
    """Let so much time pass, in the steps that the gate looks in."""
    await until_idle()
    ends = clock.now + seconds
    while clock.now < ends:
        clock.advance(min(RELOOK_SECONDS, ends - clock.now))
        await until_idle()


def ask(gate: Gate, turn: Turn = Turn.GET, subject: str = "i-1") -> Entry:
    return asyncio.create_task(gate.enter(turn, subject))


async def known(gate: Gate, clock: SteppedClock) -> None:
    """The first answer has said that the budget is as good as endless."""
    await answer(await gate.enter(Turn.GET, "i-0"))
    await after(clock, 1)


async def answer(permit: Permit, status: int = 200, quota: Quota | None = None) -> None:
    with permit:
        permit.answered(status, quota)
    await until_idle()


async def passed(*entries: Entry) -> list[bool]:
    await until_idle()
    return [entry.done() for entry in entries]
