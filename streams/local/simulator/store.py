"""The interactions that the simulated API knows, and how often each was asked for and changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from streams.local.simulator.route import Route

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class InteractionCounters:
    """Requests for one interaction. ``patches_applied``: those that took effect, whatever answer
    the client got."""

    gets: int = 0
    patches_received: int = 0
    patches_applied: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counters as the control API returns them."""
        return {
            "gets": self.gets,
            "patchesReceived": self.patches_received,
            "patchesApplied": self.patches_applied,
        }


class StoredInteraction:
    """One interaction as GET returns it, and its version."""

    __slots__ = ("_body", "_registered", "_truth", "version")

    def __init__(self, truth: dict[str, Any], version: int = 1) -> None:
        self.version = version
        self._registered = truth
        self._truth = truth
        self._body: bytes | None = None

    @property
    def truth(self) -> dict[str, Any]:
        return self._truth

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    @property
    def body(self) -> bytes:
        # Kept until the interaction changes: a benchmark asks for it a thousand times a second.
        if self._body is None:
            self._body = _encode(self._truth)
        return self._body

    def set_disposition(self, code: str) -> None:
        self._change({**self._truth, "dispositionCode": {"id": code}})

    def replace(self, truth: dict[str, Any]) -> None:
        """Somebody else changed the interaction: what a client has read before is now stale."""
        self._registered = truth
        self._change(truth)

    def restore(self) -> None:
        """Back to the registered interaction, as a new version, so that an ETag never means two
        things."""
        if self._truth is not self._registered:
            self._change(self._registered)

    def _change(self, truth: dict[str, Any]) -> None:
        self._truth = truth
        self._body = None
        self.version += 1


class Store:
    """Interactions by id, with their counters. Counters are kept for unknown ids as well."""

    def __init__(self, truths: Iterable[dict[str, Any]] = ()) -> None:
        self._interactions: dict[str, StoredInteraction] = {}
        self._counters: dict[str, InteractionCounters] = {}
        self.patches_applied = 0
        self.register(truths)

    def register(self, truths: Iterable[dict[str, Any]]) -> None:
        """Add interactions, or change those that are known; ``truth["id"]`` says which."""
        for truth in truths:
            known = self._interactions.get(truth["id"])
            if known is None:
                self._interactions[truth["id"]] = StoredInteraction(truth)
            else:
                known.replace(truth)

    def find(self, interaction_id: str) -> StoredInteraction | None:
        return self._interactions.get(interaction_id)

    def count(self, route: Route, interaction_id: str) -> int:
        """Count one request, whatever will come of it. Returns its number among the interaction's
        requests on this route, from 1."""
        counters = self.counters(interaction_id)
        if route is Route.GET:
            counters.gets += 1
            return counters.gets
        counters.patches_received += 1
        return counters.patches_received

    def apply(self, interaction_id: str, code: str) -> None:
        """Set the disposition of a known interaction; counted each time, also for the same code."""
        self._interactions[interaction_id].set_disposition(code)
        self.count_effect(interaction_id)

    def count_effect(self, interaction_id: str) -> None:
        """Count one PATCH that took effect."""
        self.counters(interaction_id).patches_applied += 1
        self.patches_applied += 1

    def counters(self, interaction_id: str) -> InteractionCounters:
        counters = self._counters.get(interaction_id)
        if counters is None:
            counters = self._counters[interaction_id] = InteractionCounters()
        return counters

    def counted(self) -> dict[str, dict[str, int]]:
        """The counters of every interaction that was asked for, by id."""
        return {
            interaction_id: counters.as_dict()
            for interaction_id, counters in self._counters.items()
        }

    def reset(self) -> None:
        """Bring every interaction back to how it was registered, and clear the counters."""
        self._counters.clear()
        self.patches_applied = 0
        for interaction in self._interactions.values():
            interaction.restore()
