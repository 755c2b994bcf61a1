"""Events to a bridge over HTTP, as EventBridge's API destination would bring them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import msgspec

from streams.clock import Clock

# Senders side by side; the events of one interaction always go through the same one, so that they
# arrive in the order of the stream.
_SENDERS = 32

# Events waiting for a sender: keeps a stream of a million from being held in memory.
_WAITING = 64

# EventBridge gives up on one request after this.
_TIMEOUT_SECONDS = 5.0

# Tries of one event, with at most _LONGEST_WAIT_SECONDS in between: enough for a bridge that is
# still starting, or waits for its Kafka, and an end in about a minute for one that is not there.
_TRIES = 20
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0

# Refusals told word for word; a thousand equal ones help nobody.
_EXAMPLES = 5

_RETRIED = frozenset({401, 407, 409, 429, 500, 502, 503, 504})

_STOP: Final = None


@dataclass(slots=True)
class DeliveryReport:
    """What became of the events. ``retries``: tries beyond the first, of all events together.
    ``refusals``: the first few refusals in words."""

    accepted: int = 0
    skipped: int = 0
    refused: int = 0
    retries: int = 0
    seconds: float = 0.0
    refusals: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return self.accepted + self.skipped + self.refused

    def refuse(self, why: str) -> None:
        self.refused += 1
        if len(self.refusals) < _EXAMPLES:
            self.refusals.append(why)


class Delivery:
    """POSTs events to ``url`` (a bridge's base URL), each interaction's in order.

    ``rate``: events a second, or None for as fast as the bridge takes them.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        clock: Clock,
        *,
        api_key: str | None = None,
        rate: float | None = None,
    ) -> None:
        self._session = session
        self._url = f"{url.rstrip('/')}/events"
        self._clock = clock
        self._rate = rate
        self._headers = {"Content-Type": "application/json; charset=utf-8"}
        if api_key is not None:
            self._headers["X-Api-Key"] = api_key
        self._report = DeliveryReport()

    async def deliver(
        self, events: Iterable[dict[str, Any]], stop: asyncio.Event
    ) -> DeliveryReport:
        """Send them all, or those taken up before ``stop`` is set; waits for their answers."""
        self._report = DeliveryReport()
        began = self._clock.monotonic()
        queues = [asyncio.Queue[bytes | None](_WAITING) for _ in range(_SENDERS)]
        async with asyncio.TaskGroup() as group:
            for queue in queues:
                group.create_task(self._send_all(queue, stop))
            for number, event in enumerate(events):
                if self._rate is not None:
                    await self._until(began + number / self._rate)
                if stop.is_set():
                    break
                interaction_id = event["detail"]["interactionId"]
                lane = zlib.crc32(interaction_id.encode()) % _SENDERS
                await queues[lane].put(msgspec.json.encode(event))
            for queue in queues:
                await queue.put(_STOP)
        self._report.seconds = self._clock.monotonic() - began
        return self._report

    async def _until(self, at: float) -> None:
        wait = at - self._clock.monotonic()
        if wait > 0:
            await self._clock.sleep(wait)

    async def _send_all(self, queue: asyncio.Queue[bytes | None], stop: asyncio.Event) -> None:
        while (body := await queue.get()) is not _STOP:
            await self._send(body, stop)

    async def _send(self, body: bytes, stop: asyncio.Event) -> None:
        wait = _FIRST_WAIT_SECONDS
        for left in reversed(range(_TRIES)):
            said: float | None = None
            try:
                async with self._session.post(
                    self._url,
                    data=body,
                    headers=self._headers,
                    timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
                ) as answer:
                    text = await answer.text()
                    if answer.status == 200:
                        self._accept(text)
                        return
                    why = f"{answer.status} {' '.join(text.split())[:200]}"
                    if answer.status not in _RETRIED:
                        self._report.refuse(why)
                        return
                    said = _seconds(answer.headers.get("Retry-After"))
            except (aiohttp.ClientError, TimeoutError) as exc:
                why = f"no answer from {self._url}: {exc!r}"
            if left == 0 or stop.is_set():
                self._report.refuse(why)
                return
            self._report.retries += 1
            await self._clock.sleep(min(wait if said is None else said, _LONGEST_WAIT_SECONDS))
            wait *= 2

    def _accept(self, text: str) -> None:
        if '"skipped"' in text:
            self._report.skipped += 1
        else:
            self._report.accepted += 1


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
