"""What waits longest, asked now and again as ``genesys-streams stuck`` asks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from streams.clock import Clock
from streams.errors import SettingsError
from streams.operator.stuck.account import Account

log = logging.getLogger(__name__)

# Each look takes some connections to Kafka, so it is rarer than the workers' metrics. A record that
# waits for so long without anybody's seeing it has not waited for long.
EVERY_SECONDS = 10.0


class Stuck:
    """``account``: None until the first look has ended; ``asked_ms``: when that of the account did.
    ``failure``: why the last look failed, None when it did not. ``version``: grows with each."""

    def __init__(self, look: Callable[[], Awaitable[Account]], clock: Clock) -> None:
        """``look``: raises SettingsError or OSError while files of TLS can not be read."""
        self.account: Account | None = None
        self.asked_ms = 0
        self.failure: str | None = None
        self.version = 0
        self._look = look
        self._clock = clock

    async def run(self) -> None:
        """Never returns."""
        while True:
            try:
                self.told(await self._look())
            except (SettingsError, OSError) as failure:
                if self.failure != str(failure):
                    log.warning("what is stuck is not known: %s", failure)
                self.failure = str(failure)
                self.version += 1
            await self._clock.sleep(EVERY_SECONDS)

    def told(self, account: Account) -> None:
        self.account, self.failure = account, None
        self.asked_ms = round(self._clock.time() * 1000)
        self.version += 1
