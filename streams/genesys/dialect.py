"""The dialects of an org's API: how requests are made and answers are read."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Protocol

from yarl import URL

from streams.core.interaction import Interaction
from streams.errors import ApiError
from streams.genesys.answers import Answer
from streams.genesys.interactions import Interactions
from streams.genesys.transport import Request


class ReadsErrors(Protocol):
    """Collaborator: what every dialect has, also ``conversations``, whose routes are others
    (``streams/genesys/conversations.py``). It does no I/O: the client handles tokens, turns at the
    gate and tries."""

    @property
    def name(self) -> str:
        """The dialect's name in ``GENESYS_API``."""
        ...

    def error_of(self, request: Request, answer: Answer, random: Random) -> ApiError:
        """The error for an answer to ``request`` that is no success."""
        ...


class Dialect(ReadsErrors, Protocol):
    """Collaborator: one family of routes with which an interaction is read and changed."""

    def get_request(self, base: URL, interaction_id: str) -> Request:
        """The request that reads one interaction."""
        ...

    def patch_request(self, base: URL, interaction_id: str, code: str, etag: str | None) -> Request:
        """The request that sets the disposition code, if the interaction still matches the ETag."""
        ...

    def read_interaction(self, answer: Answer, interaction_id: str) -> Interaction:
        """Read the successful answer to ``get_request``. Raises BadRequest when it is not the
        interaction that was asked for."""
        ...


_BUILT: tuple[Dialect, ...] = (Interactions(),)

# By name. The settings refuse any other name.
DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _BUILT})
