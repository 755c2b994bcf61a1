"""What the simulated API saw. Tests and the demo compare it with what the worker claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from streams.local.simulator.route import Route

# A request that arrives this soon after a 429 went out was already on its way, and is not held
# against the client.
ON_ITS_WAY_SECONDS = 0.25

# Used for the status when the client never got an answer.
UNANSWERED = "unanswered"


class Traffic:
    """Counts requests by route and status, and requests that should not have been sent."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        self._answers: dict[Route, Counter[str]] = {route: Counter() for route in Route}
        self._quiet: dict[str, tuple[float, float]] = {}
        self._inside_retry_after = 0
        self._max_concurrent = self._in_flight

    def arrived(self, token: str) -> None:
        """A request for an interaction, with this bearer token, has come in."""
        self._in_flight += 1
        self._max_concurrent = max(self._max_concurrent, self._in_flight)
        if token in self._quiet:
            begins, ends = self._quiet[token]
            now = self._monotonic()
            if now >= ends:
                del self._quiet[token]
            elif now >= begins:
                self._inside_retry_after += 1

    def left(self) -> None:
        """A request has ended."""
        self._in_flight -= 1

    def answered(self, route: Route, status: str) -> None:
        self._answers[route][status] += 1

    def asked_for_quiet(self, token: str, seconds: float) -> None:
        """A 429 with this Retry-After goes out."""
        now = self._monotonic()
        _, ends = self._quiet.get(token, (now, now))
        self._quiet[token] = (now + ON_ITS_WAY_SECONDS, max(ends, now + seconds))

    def counted(self) -> dict[str, Any]:
        """The counters as the control API returns them."""
        return {
            "routes": {
                route.value: dict(sorted(answers.items()))
                for route, answers in self._answers.items()
            },
            "inFlight": self._in_flight,
            "maxConcurrent": self._max_concurrent,
            "requestsInsideRetryAfter": self._inside_retry_after,
        }
