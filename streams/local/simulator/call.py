"""One request to the simulated API on its way to its effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from streams.local.simulator.route import Route


@dataclass(slots=True)
class Call:
    """``subject``: what the request is about, as faults and counters name it: the id of an
    interaction or a conversation, else the path. ``user``: whether the token is a user's.
    ``limits``: the rate headers of its answer, once they are known."""

    request: web.Request
    route: Route
    token: str
    correlation_id: str
    subject: str = ""
    user: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)


Effect = Callable[[Call], Awaitable[web.Response]]
