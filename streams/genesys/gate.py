"""The one gate of the worker: a 429 closes it, and no request leaves until it opens (promise 9)."""

from __future__ import annotations

import logging
import math

from streams.clock import Clock
from streams.errors import RateLimited
from streams.genesys.observer import ApiObserver

log = logging.getLogger(__name__)

# Seconds a lane waits for the API at most; Genesys' own SDKs give up above this. A daily limit can
# close the gate for hours, and a lane that waited for it would hold its record all that time.
LONGEST_QUIET = 180.0


class Gate:
    """Shared by every lane and the token source. Open when new."""

    def __init__(self, clock: Clock, observer: ApiObserver) -> None:
        self._clock = clock
        self._observer = observer
        self._opens_at = -math.inf

    def close(self, seconds: float) -> None:
        """No requests for that long from now. Never shortens a longer quiet already asked for."""
        opens_at = self._clock.monotonic() + seconds
        if opens_at > self._opens_at:
            self._opens_at = opens_at
            log.warning(
                "rate limit: no requests to Genesys Cloud for now", extra={"seconds": seconds}
            )

    def closed_until(self) -> float | None:
        """Monotonic time at which it opens; None while it is open."""
        return self._opens_at if self._opens_at > self._clock.monotonic() else None

    async def wait(self) -> None:
        """Return once it is open.

        Raises RateLimited, at once, when that is further off than ``LONGEST_QUIET``: nothing is
        sent, and the record is better put off than held.
        """
        if self.closed_until() is None:
            return
        started = self._clock.monotonic()
        try:
            while (left := self._opens_at - self._clock.monotonic()) > 0:
                if left > LONGEST_QUIET:
                    raise RateLimited(
                        f"not sent: Genesys Cloud asked for no calls for another {left:.0f} s; "
                        "an hourly or daily limit is used up",
                        retry_after=left,
                        status=None,
                    )
                await self._clock.sleep(left)
        finally:
            self._observer.throttled(self._clock.monotonic() - started)
