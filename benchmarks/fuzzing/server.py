"""A Genesys Cloud on a raw socket, which answers some interactions with anything.

What an answer is follows from the seed, the interaction and how often it was asked for: the same
run gives the same answers, whatever the order in which they are asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

from benchmarks.fuzzing.answers import Reply, Right, fuzzed, proper, refused
from benchmarks.fuzzing.records import is_answered
from streams.local.simulator.route import Route
from streams.local.simulator.store import Store
from tests.support.raw_server import GRANTED, read_request

# Of an interaction's calls, those of one method that are answered with anything; then the right
# answer comes. The most: more than a record has tries, so it is dead in the end.
_FUZZED_CALLS = (1, 1, 1, 1, 1, 1, 2, 2, 3, 20)


class FuzzedApi:
    """``given``: answers other than the right one, by their kind."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._seed = seed
        self.given: Counter[str] = Counter()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Listen on a port of the system's choice for as long; gives the URL."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1_024)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self.url
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A client that hangs up first is in its right.
            with suppress(ConnectionError):
                while (request := await read_request(reader)) and await self._answer(
                    request, reader, writer
                ):
                    pass
        finally:
            writer.close()

    async def _answer(
        self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection is of use afterwards."""
        reply = self._reply(request)
        if reply.content is None:
            await reader.read()
            return False
        writer.write(reply.content)
        await writer.drain()
        return reply.stays

    def _reply(self, request: bytes) -> Reply:
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        method, path, _ = lines[0].decode().split(" ")
        if path.endswith("/oauth/token"):
            return Reply("right", GRANTED, stays=True)
        named = path.rsplit("/", 1)[-1]
        route = Route.GET if method == "GET" else Route.PATCH
        nth = self._store.count(route, named)
        known = self._store.find(named)
        if known is None:
            return refused(404)
        if self._is_right(named, route, nth):
            return self._effect(named, route, lines, body)
        random = Random(f"{self._seed} {named} {method} {nth}")
        if route is Route.PATCH and random.random() < 0.5:
            # It took effect, and what is said of it is anything all the same.
            self._effect(named, route, lines, body)
        reply = fuzzed(random, Right(known.body, known.etag))
        self.given[reply.kind] += 1
        return reply

    def _is_right(self, named: str, route: Route, nth: int) -> bool:
        if not is_answered(named):
            return True
        random = Random(f"{self._seed} {named}")
        at, calls = random.choice((Route.GET, Route.PATCH)), random.choice(_FUZZED_CALLS)
        return route is not at or nth > calls

    def _effect(self, named: str, route: Route, lines: list[bytes], body: bytes) -> Reply:
        known = self._store.find(named)
        assert known is not None
        if route is Route.PATCH:
            sent = dict(line.split(b": ", 1) for line in lines[1:])
            if sent.get(b"If-Match", b"*") not in (known.etag.encode(), b"*"):
                return refused(412)
            self._store.apply(named, json.loads(body)["dispositionCode"]["id"])
        return proper(Right(known.body, known.etag))
