"""The two calls of the Genesys client, on the one interaction of the scripted API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from streams.genesys.api import CallContext
from streams.genesys.client import GenesysClient

Call = Callable[[GenesysClient, CallContext], Awaitable[object]]


async def get(client: GenesysClient, context: CallContext | None = None) -> None:
    await client.fetch("i-1", context or CallContext())


async def patch(client: GenesysClient, context: CallContext | None = None) -> int:
    return await client.set_disposition("i-1", "code-1", '"v1"', context or CallContext())
