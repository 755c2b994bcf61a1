"""Sends events to a bridge over HTTP, as EventBridge's API destination does."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import aiohttp
import msgspec

from streams.clock import Clock

# Senders side by side; the events of one interaction always go through the same one, so that they
# arrive in the order of the stream.
_SENDERS = 32

# How many events may wait for a sender. The limit keeps a stream of a million out of memory.
_WAITING = 64

# EventBridge gives up on one request after this time.
_TIMEOUT_SECONDS = 5.0

# Between two tries of one event. Short at first, because a bridge that restarts is back in seconds;
# then longer, so that one that stays away is not asked by all senders all the time.
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0

# How long one event is tried again; Delivery says why.
PATIENCE_SECONDS = 120.0

# A bridge that is away is reported at once, and then this often, to show that the wait goes on.
SAID_EVERY = 10.0

# How many refusals are quoted; a thousand equal ones help nobody.
_EXAMPLES = 5

# Characters of an answer that are quoted: enough to see what it is that answers.
_QUOTED = 200

# The 4xx that pass: the body did not arrive in time, or there are too many requests.
_PASSING = frozenset({408, 429})

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


@dataclass(frozen=True, slots=True)
class _Answer:
    """``status``: None when there was no answer."""

    status: int | None
    text: str
    retry_after: float | None = None

    @property
    def passing(self) -> bool:
        """Whether the same event may be taken a little later."""
        return self.status is None or self.status >= 500 or self.status in _PASSING

    @property
    def why(self) -> str:
        return self.text if self.status is None else f"{self.status} {self.text}"


class _Ended(Exception):
    """Ends the delivery, because one refusal was enough."""


class Delivery:
    """POSTs events to ``url`` (a bridge's base URL), each interaction's, or conversation's, in
    order.

    An event that the bridge refuses (4xx) is given up at once. Without an answer, or while the
    bridge can not take it (5xx, 408, 429), it is tried again for ``patience`` seconds. A bridge is
    back in seconds. A Kafka behind it that is started with it, or elects new leaders, is back in
    less than a minute. A longer trouble waits for a person. EventBridge goes on for a day, but
    nobody watches it.

    ``rate``: events a second, or None for as fast as the bridge takes them. ``firm``: the first
    event given up ends the delivery, because the next ones would fail the same way; otherwise it is
    only counted. ``say`` is called with the reason why events are tried again, at once and then now
    and then.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        clock: Clock,
        *,
        api_key: str | None = None,
        rate: float | None = None,
        firm: bool = False,
        patience: float = PATIENCE_SECONDS,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._session = session
        self._url = f"{url.rstrip('/')}/events"
        self._clock = clock
        self._rate = rate
        self._firm = firm
        self._patience = patience
        self._say = say
        self._next_said = clock.monotonic()
        self._headers = {"Content-Type": "application/json; charset=utf-8"}
        if api_key is not None:
            self._headers["X-Api-Key"] = api_key
        self._report = DeliveryReport()

    async def deliver(
        self, events: Iterable[dict[str, Any]], stop: asyncio.Event
    ) -> DeliveryReport:
        """Send all events, or only those under way when ``stop`` is set. Waits for the answers."""
        began, rate = self._clock.monotonic(), self._rate
        due = (began + number / rate if rate is not None else None for number in count())
        return await self._deliver(zip(due, events, strict=False), stop)

    async def deliver_at(
        self, arrivals: Iterable[tuple[int, dict[str, Any]]], stop: asyncio.Event
    ) -> DeliveryReport:
        """The same, each event at its time, epoch milliseconds."""
        ahead = self._clock.monotonic() - self._clock.time()
        due = ((at_ms / 1000 + ahead, event) for at_ms, event in arrivals)
        return await self._deliver(due, stop)

    async def _deliver(
        self, events: Iterable[tuple[float | None, dict[str, Any]]], stop: asyncio.Event
    ) -> DeliveryReport:
        self._report = DeliveryReport()
        began = self._clock.monotonic()
        queues = [asyncio.Queue[bytes | None](_WAITING) for _ in range(_SENDERS)]
        try:
            async with asyncio.TaskGroup() as group:
                for queue in queues:
                    group.create_task(self._send_all(queue, stop))
                for due, event in events:
                    if due is not None:
                        await self._until(due)
                    if stop.is_set():
                        break
                    lane = zlib.crc32(_subject(event).encode()) % _SENDERS
                    await queues[lane].put(msgspec.json.encode(event))
                for queue in queues:
                    await queue.put(_STOP)
        except* _Ended:
            pass  # the report says why
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
        until = self._clock.monotonic() + self._patience
        wait = _FIRST_WAIT_SECONDS
        while not stop.is_set():
            answer = await self._post(body)
            if answer.status == 200:
                self._accept(answer.text)
                return
            if not answer.passing:
                self._refuse(answer.why)
                return
            pause = min(wait, _LONGEST_WAIT_SECONDS)
            if answer.retry_after is not None:
                pause = min(answer.retry_after, _LONGEST_WAIT_SECONDS)
            if self._clock.monotonic() + pause > until:
                self._refuse(f"{answer.why}, and so for {self._patience:.0f} s")
                return
            self._report.retries += 1
            self._report_try(answer.why)
            await self._clock.sleep(pause)
            wait *= 2

    async def _post(self, body: bytes) -> _Answer:
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
            ) as answer:
                text = " ".join((await answer.text(errors="replace")).split())[:_QUOTED]
                return _Answer(answer.status, text, _seconds(answer.headers.get("Retry-After")))
        except TimeoutError:
            return _Answer(None, f"no answer within {_TIMEOUT_SECONDS:.0f} s")
        except aiohttp.ClientError as exc:
            return _Answer(None, f"no answer: {exc or type(exc).__name__}")

    def _refuse(self, why: str) -> None:
        self._report.refuse(f"{self._url}: {why}")
        if self._firm:
            raise _Ended

    def _report_try(self, why: str) -> None:
        now = self._clock.monotonic()
        if self._say is not None and now >= self._next_said:
            self._next_said = now + SAID_EVERY
            self._say(f"{self._url}: {why}; trying again for up to {self._patience:.0f} s")

    def _accept(self, text: str) -> None:
        if '"skipped"' in text:
            self._report.skipped += 1
        else:
            self._report.accepted += 1


def _subject(event: dict[str, Any]) -> str:
    """The interaction, or the conversation, that the event is about."""
    detail = event["detail"]
    body = detail.get("eventBody")
    return str(detail["interactionId"] if body is None else body["conversationId"])


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
