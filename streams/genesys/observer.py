"""Who is told how the calls to Genesys Cloud go; the worker's metrics listen here."""

from __future__ import annotations

from typing import Protocol


class ApiObserver(Protocol):
    """Collaborator: counts calls and waits. Its methods must not block or raise."""

    def api_call(self, route: str, method: str, status: int | str, seconds: float) -> None:
        """One request is over. ``route`` is the URL's template; ``status`` the HTTP status, or the
        name of what went wrong when no answer came."""
        ...

    def throttled(self, seconds: float) -> None:
        """A request waited this long for its turn."""
        ...
