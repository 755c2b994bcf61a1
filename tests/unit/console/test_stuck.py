"""The looks at what is stuck: one after another, whatever becomes of one."""

from __future__ import annotations

import asyncio

import pytest

from streams.clock import SystemClock
from streams.console.stuck import EVERY_SECONDS, Stuck
from streams.errors import SettingsError
from streams.operator.stuck.account import Account
from tests.support.stuck_account import an_account
from tests.support.workers import eventually

NOW_MS = 1_767_600_000_000


class Pausing(SystemClock):
    """Waits until a test lets it go on."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.go_on = asyncio.Event()

    def time(self) -> float:
        return NOW_MS / 1000

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        await self.go_on.wait()
        self.go_on.clear()


@pytest.mark.parametrize(
    "failure", [SettingsError("WORKER_SSL_CAFILE: cannot read it"), OSError("no such file")]
)
async def test_a_look_that_fails_is_said_and_the_next_one_is_made(failure: Exception) -> None:
    account, said = an_account(NOW_MS), [failure, None]

    async def look() -> Account:
        if (raised := said.pop(0)) is not None:
            raise raised
        return account

    clock = Pausing()
    stuck = Stuck(look, clock)
    looking = asyncio.create_task(stuck.run())
    try:
        await eventually(lambda: stuck.version == 1, 20, "the first look has ended")
        assert (stuck.account, stuck.failure) == (None, str(failure))
        clock.go_on.set()
        await eventually(lambda: stuck.version == 2, 20, "the second look has ended")
        assert (stuck.account, stuck.failure, stuck.asked_ms) == (account, None, NOW_MS)
        await eventually(lambda: clock.waited == [EVERY_SECONDS] * 2, 20, "it waits again")
    finally:
        looking.cancel()
