"""Faust's partition assignor, corrected for static members whose address has changed."""

from __future__ import annotations

from typing import Any

from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from yarl import URL


class MovableAssignor(PartitionAssignor):
    """Faust's assignor for static members that may come back at another address.

    The broker answers such a member with its old assignment (KIP-345), which contains the old URL.
    Faust asserts that the URL is its own, and the failed assertion would end the coordination task
    (shown by test_faust_app.py).
    """

    _assigned_url: URL | None = None

    def on_assignment(self, assignment: Any) -> None:
        decoded: Any = ClientMetadata.loads(self._decompress(assignment.user_data))
        self._assigned_url = URL(decoded.url)
        try:
            super().on_assignment(assignment)
        finally:
            self._assigned_url = None

    @property
    def _url(self) -> URL:
        return self._assigned_url or super()._url
