"""How an org's API is spoken to: what is asked of it, and how it is understood."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from yarl import URL

from streams.core.interaction import Interaction
from streams.genesys.answers import Answer
from streams.genesys.interactions import Interactions
from streams.genesys.transport import Request


class Dialect(Protocol):
    """Collaborator: one family of routes that an interaction is read and changed by.

    Without I/O: tokens, turns and tries are the client's. Which events are taken, and what they
    are keyed by, is no matter of the dialect: the bridge and the worker read one envelope.
    """

    @property
    def name(self) -> str:
        """As ``GENESYS_API`` has it."""
        ...

    def get_request(self, base: URL, interaction_id: str) -> Request:
        """Read one interaction."""
        ...

    def patch_request(self, base: URL, interaction_id: str, code: str, etag: str | None) -> Request:
        """Set its disposition code, if it still is what the ETag stands for."""
        ...

    def read_interaction(self, answer: Answer, interaction_id: str) -> Interaction:
        """The successful answer to ``get_request``. Raises BadRequest when it is not the
        interaction that was asked for."""
        ...


_BUILT: tuple[Dialect, ...] = (Interactions(),)

# By the name in the settings, which have refused any other.
DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _BUILT})
