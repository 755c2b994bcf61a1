"""Why the worker ends. Made before all parts that may report a reason."""

from __future__ import annotations

import asyncio
import logging

from streams.errors import SettingsError, WorkerError

log = logging.getLogger(__name__)


class Ending:
    """Keeps the first reason to end the worker, whichever part reports it."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        """Resolves to the reason once there is one."""

    @property
    def reason(self) -> BaseException | None:
        """The reason to end, or None while there is none."""
        return self.failed.result() if self.failed.done() else None

    def fail(self, failure: BaseException) -> None:
        """End the worker with this reason: the watchdog's, or an error that no part can handle."""
        if not isinstance(failure, WorkerError | SettingsError):
            log.error("the worker ends", exc_info=failure)
        if not self.failed.done():
            self.failed.set_result(failure)
