"""What the worker asks of Genesys Cloud, whatever the dialect, and who is told how the calls go."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from streams.clock import Resting
from streams.core.interaction import Interaction


def _unguarded() -> None:
    """Nothing stands against a request."""


@dataclass(slots=True)
class CallContext:
    """What the calls for one source record share. ``calls``: requests made; ``attempts``: tries of
    the last call.

    ``guard`` is asked right before each request leaves, however long it had to wait for a token or
    the gate, and raises to stop it (promise 8). ``resting`` is entered for the waits between tries.
    """

    calls: int = 0
    attempts: int = 0
    guard: Callable[[], None] = field(default=_unguarded)
    resting: Resting = field(default=nullcontext)


class GenesysApi(Protocol):
    """Collaborator: reads an interaction and sets its disposition.

    Both calls try again by themselves as the design's table "When the API says no" states, count
    every request in ``context``, and raise an ApiError when the tries are used up.
    """

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        """GET the interaction."""
        ...

    async def set_disposition(
        self, interaction_id: str, code: str, etag: str | None, context: CallContext
    ) -> int:
        """PATCH the disposition code; returns the HTTP status of the success.

        A try that may have taken effect (5xx, time-out, connection lost after the request went
        out) is never repeated here: it is raised with ``maybe_applied``, and the caller looks
        first (promise 5).
        """
        ...


class ApiObserver(Protocol):
    """Collaborator: counts calls and waits, as the worker's metrics do. Its methods must not block
    or raise."""

    def api_call(self, route: str, method: str, status: int | str, seconds: float) -> None:
        """One request is over. ``route`` is the URL's template; ``status`` the HTTP status, or the
        name of what went wrong when no answer came."""
        ...

    def throttled(self, seconds: float) -> None:
        """A request waited this long for its turn."""
        ...
