"""The API's rate limit: so many requests per token in a fixed window, reported in every answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

# High enough that a demo never waits for it. There always is a limit, because the real API always
# sends the headers and they steer the client.
DEFAULT_REQUESTS_PER_MINUTE = 600_000

# As the API's own, whose limits are by the minute.
WINDOW_SECONDS = 60.0

# The Genesys Cloud limit that a client with client credentials reaches first.
LIMIT_KEY = "client.credentials.token.rate.per.minute"


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of its window a token has used. ``reset``: whole seconds until the window ends, at
    least 1."""

    count: int
    allowed: int
    reset: int

    @property
    def exceeded(self) -> bool:
        return self.count > self.allowed

    def headers(self) -> dict[str, str]:
        return {
            "inin-ratelimit-count": str(self.count),
            "inin-ratelimit-allowed": str(self.allowed),
            "inin-ratelimit-reset": str(self.reset),
        }


@dataclass(slots=True)
class _Window:
    ends_at: float
    count: int = 0


class RateLimit:
    """A fixed window per token. ``allowed`` requests in ``window`` seconds of ``monotonic``."""

    def __init__(
        self,
        allowed: int,
        monotonic: Callable[[], float],
        window: float = WINDOW_SECONDS,
    ) -> None:
        self.allowed = allowed
        self._monotonic = monotonic
        self._window = window
        self._windows: dict[str, _Window] = {}

    def take(self, token: str) -> Quota:
        """Count one request. One that exceeds the quota counts as well, as with the real API."""
        now = self._monotonic()
        window = self._windows.get(token)
        if window is None or now >= window.ends_at:
            window = self._windows[token] = _Window(now + self._window)
        window.count += 1
        return Quota(window.count, self.allowed, max(1, math.ceil(window.ends_at - now)))

    def reset(self) -> None:
        self._windows.clear()
