"""The interface of Genesys Cloud for the worker, the same for every dialect, and its observer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from streams.clock import Resting
from streams.core.interaction import Interaction
from streams.core.records import Call
from streams.core.stuck import Stage


def _unguarded() -> None:
    """The guard that stops no request."""


@dataclass(slots=True)
class CallContext:
    """The state that all calls for one source record share. ``calls``: requests made; ``attempts``:
    tries of the last call; ``made``: the requests that are over.

    ``guard`` is called right before each request leaves, after all waiting for a token or the gate.
    It raises to stop the request (promise 8). ``resting`` is entered for each wait between tries.
    ``needed``: whether any request was needed; ``stage``: what one waits for right now;
    ``sent_at``: when the latest left, monotonic.
    """

    calls: int = 0
    attempts: int = 0
    made: list[Call] = field(default_factory=list)
    guard: Callable[[], None] = field(default=_unguarded)
    resting: Resting = field(default=nullcontext)
    needed: bool = False
    stage: Stage = Stage.NONE
    sent_at: float = 0.0

    @asynccontextmanager
    async def rest(self) -> AsyncIterator[None]:
        """``resting``, and it shows that this is what is waited for."""
        self.stage = Stage.REST
        try:
            async with self.resting():
                yield
        finally:
            self.stage = Stage.NONE


class GenesysApi(Protocol):
    """Collaborator: reads an interaction and sets its disposition.

    Both calls try again by themselves, as the design's table "When the API says no" states. They
    count every request in ``context``, and raise an ApiError when the tries are used up.
    """

    async def fetch(self, interaction_id: str, context: CallContext) -> Interaction:
        """GET the interaction."""
        ...

    async def set_disposition(
        self, interaction_id: str, code: str, etag: str | None, context: CallContext
    ) -> int:
        """PATCH the disposition code; returns the HTTP status of the success.

        A try that may have taken effect (5xx, time-out, connection lost after the request went
        out) is never repeated here: its error is raised with ``maybe_applied``, and the caller GETs
        the interaction first (promise 5).
        """
        ...


class ApiObserver(Protocol):
    """Collaborator that counts calls and waits; the worker's metrics are one. Its methods must not
    block or raise."""

    def api_call(self, route: str, method: str, status: int | str, seconds: float) -> None:
        """One request is over. ``route`` is the URL's template. ``status`` is the HTTP status, or
        the name of the error when no answer came."""
        ...

    def throttled(self, seconds: float) -> None:
        """A request waited this long for its turn."""
        ...
