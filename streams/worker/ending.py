"""Why the worker ends: made before all those who may have a reason."""

from __future__ import annotations

import asyncio
import logging

from streams.errors import SettingsError, WorkerError

log = logging.getLogger(__name__)


class Ending:
    """The first reason to end counts, whoever has it."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        """Done with the reason once there is one."""

    @property
    def reason(self) -> BaseException | None:
        """None while there is none."""
        return self.failed.result() if self.failed.done() else None

    def fail(self, failure: BaseException) -> None:
        """End the worker: the watchdog's reason, or an error that nothing has an answer to."""
        if not isinstance(failure, WorkerError | SettingsError):
            log.error("the worker ends", exc_info=failure)
        if not self.failed.done():
            self.failed.set_result(failure)
