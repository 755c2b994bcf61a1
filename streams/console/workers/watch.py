"""Asks the workers, every few seconds, how they are."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from yarl import URL

from streams.clock import Clock
from streams.console.workers.seen import Called, Seen, read_seen
from streams.operator.stuck.workers import addresses_of

log = logging.getLogger(__name__)

# A worker's state is fresh enough for a person, and costs the worker a hundredth of a core.
EVERY_SECONDS = 5.0

# A worker that is busy answers within this; one that does not is shown as silent.
ANSWER_SECONDS = 4.0

# Rates are of the last minute.
WINDOW_SECONDS = 60.0


@dataclass
class Worker:
    """``silent``: why it did not answer the last time, None when it did. ``seen``: what it said in
    the last minute, the latest last."""

    url: str
    silent: str | None = "it was not asked yet"
    seen: deque[Seen] = field(default_factory=deque)

    @property
    def last(self) -> Seen | None:
        return self.seen[-1] if self.seen else None

    @property
    def seconds(self) -> float:
        """How long the last minute is by now."""
        return self.seen[-1].at - self.seen[0].at if self.seen else 0.0

    def api(self) -> Called:
        """Requests to Genesys Cloud in the last minute."""
        return self.seen[-1].api.since(self.seen[0].api) if self.seen else Called()

    def token(self) -> Called:
        """Requests for a token in the last minute."""
        return self.seen[-1].token.since(self.seen[0].token) if self.seen else Called()

    def grown(self, name: str) -> float:
        """By how much a number that only grows has grown in the last minute."""
        if not self.seen:
            return 0.0
        first, last = (float(getattr(each, name)) for each in (self.seen[0], self.seen[-1]))
        return last - first if last >= first else last

    def answered(self, seen: Seen) -> None:
        self.silent = None
        self.seen.append(seen)
        while len(self.seen) > 2 and seen.at - self.seen[1].at >= WINDOW_SECONDS:
            self.seen.popleft()


class Watch:
    """Watches the workers at these URLs, and at each address that a name stands for: those of a
    headless Service come and go. ``tls``: checks the certificates of those that are ``https://``.
    """

    def __init__(self, urls: Sequence[str], clock: Clock, tls: ssl.SSLContext) -> None:
        self.workers = [Worker(url) for url in urls]
        self._urls = urls
        self._known: dict[tuple[str, str], Worker] = {}
        self.version = 0
        """Grows each time that they were asked."""
        self._clock = clock
        self._tls = tls

    async def run(self) -> None:
        """Never returns."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(ssl=self._tls)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                await self._find()
                await asyncio.gather(
                    *(self._ask(session, *place, each) for place, each in self._known.items())
                )
                self.version += 1
                await self._clock.sleep(EVERY_SECONDS)

    async def _find(self) -> None:
        """Find the workers that there are now; one that was there before is the one that it was."""
        known, self._known = self._known, {}
        for places in await asyncio.gather(*(addresses_of(url) for url in self._urls)):
            for place in places:
                url, address = place
                worker = self._known[place] = known.get(place) or Worker(url)
                worker.url = url if len(places) == 1 else f"{url} ({address})"
        self.workers = list(self._known.values())

    async def _ask(
        self, session: aiohttp.ClientSession, url: str, address: str, worker: Worker
    ) -> None:
        named = URL(url)
        at = named.with_host(address)
        host = named.host if named.scheme == "https" else None
        asking = partial(session.get, headers={"Host": named.raw_authority}, server_hostname=host)
        try:
            async with asking(at.joinpath("readyz")) as answer:
                ready = await answer.json(content_type=None)
            async with asking(at.joinpath("metrics")) as answer:
                metrics = await answer.text()
            if not isinstance(ready, dict):
                raise ValueError("no worker answers there")
            worker.answered(read_seen(self._clock.monotonic(), ready, metrics))
        except (TimeoutError, aiohttp.ClientError, ValueError) as failure:
            # A ValueError means that another program answers at that address.
            worker.silent = type(failure).__name__
            worker.seen.clear()
            log.debug("no answer from a worker", extra={"url": worker.url, "why": repr(failure)})
