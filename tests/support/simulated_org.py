"""A simulated Genesys Cloud that is served, and a client of it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from streams.local.simulator.api import Simulator
from streams.local.simulator.server import serving

TRUTH = {"id": "i-1", "type": "voice", "state": "completed"}
ROUTE = "/api/v2/interactions/i-1"
CODE = {"dispositionCode": {"id": "code-1"}}

# How long a test waits for what has to come; and for what must not.
PATIENCE = 5.0
SOON = 0.2


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Org:
    """A simulator that is served, and a client of it."""

    simulator: Simulator
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, timeout: float = PATIENCE, **how: Any) -> Answer:
        limit = aiohttp.ClientTimeout(total=timeout)
        async with self.session.request(method, path, timeout=limit, **how) as answer:
            # Lower case: HTTP's header names have none.
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, await answer.json())

    async def sign_in(self, client: str = "id:secret") -> Answer:
        basic = base64.b64encode(client.encode()).decode()
        return await self.ask(
            "POST",
            "/oauth/token",
            headers={"Authorization": f"Basic {basic}"},
            data={"grant_type": "client_credentials"},
        )

    async def signed_in(self) -> Org:
        token = (await self.sign_in()).body["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        return self

    async def get(self, **how: Any) -> Answer:
        return await self.ask("GET", ROUTE, **how)

    async def patch(self, **how: Any) -> Answer:
        return await self.ask("PATCH", ROUTE, **({"json": CODE} | how))

    async def script(self, *faults: dict[str, Any], **which: Any) -> None:
        plan = {"scripts": [{"faults": faults, **which}]}
        assert (await self.ask("PUT", "/_simulator/faults", json=plan)).status == 200

    async def counters(self) -> Any:
        return (await self.ask("GET", "/_simulator/counters")).body

    async def applied(self) -> int:
        counters = (await self.counters())["interactions"].get("i-1", {})
        return int(counters.get("patchesApplied", 0))


@asynccontextmanager
async def running(simulator: Simulator) -> AsyncIterator[Org]:
    async with serving(simulator) as url, aiohttp.ClientSession(url) as session:
        yield Org(simulator, session)
