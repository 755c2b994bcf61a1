"""The bridge's connection to Kafka. It is kept up in the background, and its state is known."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from streams.clock import Clock
from streams.errors import KafkaError, PublishError, TopicsError
from streams.kafka.admin import TopicsAdmin
from streams.kafka.message import Message
from streams.kafka.publisher import Acknowledged, Publisher
from streams.kafka.settings import KafkaSettings
from streams.kafka.topics import APPLY_HINT, check_rights

log = logging.getLogger(__name__)

Probe = Callable[[], Awaitable[None]]


class ConnectingPublisher(Publisher, Protocol):
    """Collaborator: a publisher that can be connected, and connected again after it was stopped."""

    async def start(self) -> None:
        """Connect. Raises PublishError."""
        ...

    async def stop(self) -> None:
        """Flush and disconnect."""
        ...


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """Times of the link, all in seconds."""

    # A broker that accepts the connection and then says nothing must not delay the next attempt.
    connect: float = 10.0
    # The wait between attempts. Short at first, because compose starts everything at once; then
    # longer, so that there are not too many attempts.
    first_wait: float = 0.5
    longest_wait: float = 5.0
    # The time between two checks of Kafka: /readyz may be this far behind while no event comes.
    look: float = 2.0
    # A leader election takes less time than this. A producer that gets no acknowledgement for
    # longer, although the brokers answer, is broken for good (fenced, or its id forgotten) and is
    # replaced.
    broken: float = 10.0
    # The time to flush records that nobody waits for any more: a drain has to fit into 9.5 s (see
    # run).
    flush: float = 2.0


class Link:
    """Publishes through a publisher that it keeps connected."""

    def __init__(
        self,
        publisher: ConnectingPublisher,
        *,
        probe: Probe,
        clock: Clock,
        policy: LinkPolicy | None = None,
    ) -> None:
        self._publisher = publisher
        self._probe = probe
        self._clock = clock
        self._policy = policy or LinkPolicy()
        self._connected = False
        self._acknowledged = 0
        self._failing_since: float | None = None
        self._trouble: str | None = "not connected to Kafka yet"

    def not_ready(self) -> str | None:
        """Why no event can be put into Kafka just now; None when it can."""
        return self._trouble

    async def publish(self, message: Message) -> Acknowledged:
        """Put a record into Kafka. Raises PublishError; being cancelled means giving up on it."""
        try:
            at = await self._publisher.publish(message)
        except PublishError as exc:
            self._note_failure(str(exc))
            raise
        except asyncio.CancelledError:
            self._note_failure(f"Kafka did not acknowledge a record for {message.topic} in time")
            raise
        self._acknowledged += 1
        self._failing_since = self._trouble = None
        return at

    async def keep(self) -> None:
        """Connect, watch, connect again when needed; runs until it is cancelled."""
        while True:
            await self._connect()
            await self._watch()
            await self.close()

    async def close(self) -> None:
        """Flush and disconnect, within ``policy.flush``."""
        self._connected = False
        try:
            async with asyncio.timeout(self._policy.flush):
                await self._publisher.stop()
        except TimeoutError:
            # Each of those records was answered 503, so its sender still has it.
            log.warning("Kafka did not take the last records; they were never acknowledged")

    async def _connect(self) -> None:
        wait = self._policy.first_wait
        while True:
            try:
                async with asyncio.timeout(self._policy.connect):
                    await self._probe()
                    await self._publisher.start()
                break
            except (KafkaError, TimeoutError) as exc:
                self._trouble = str(exc) or f"Kafka did not answer in {self._policy.connect:g} s"
                log.warning("no Kafka yet, trying again: %s", self._trouble)
            await self._clock.sleep(wait)
            wait = min(2 * wait, self._policy.longest_wait)
        self._connected = True
        self._failing_since = self._trouble = None
        log.info("connected to Kafka")

    async def _watch(self) -> None:
        """Returns when the publisher has to be replaced."""
        while True:
            before = self._acknowledged
            await self._clock.sleep(self._policy.look)
            if self._acknowledged > before:
                continue
            try:
                await self._probe()
            except KafkaError as exc:
                self._trouble = str(exc)
                continue
            self._trouble = None
            since = self._failing_since
            if since is not None and self._clock.monotonic() - since >= self._policy.broken:
                log.warning("Kafka answers but acknowledges nothing: connecting anew")
                return

    def _note_failure(self, trouble: str) -> None:
        if self._connected:
            self._trouble = trouble
            if self._failing_since is None:
                self._failing_since = self._clock.monotonic()


class TopicsProbe:
    """Checks that the brokers answer, have the bridge's topics, and let it write to them."""

    # Short, because the check runs in a thread that the end of the process waits for.
    SECONDS = 2.0

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin = TopicsAdmin(settings)
        self._required = {settings.topics.events, settings.topics.dead_letters}

    async def __call__(self) -> None:
        """Raises KafkaError when no broker answers, NotAuthorized when the bridge lacks a right,
        TopicsError when a topic is missing."""
        await asyncio.to_thread(check_rights, self._settings, "bridge", self._admin, self.SECONDS)
        cluster = await asyncio.to_thread(self._admin.cluster, self.SECONDS)
        missing = sorted(self._required - cluster.topics.keys())
        # The embedded broker makes a topic when the first record for it comes.
        if missing and not cluster.embedded:
            raise TopicsError(f"no topic {', '.join(missing)}; {APPLY_HINT}, or check TOPIC_PREFIX")
