"""The consumer's thread, which observes the coordinator, and from which the main thread reads the
broker's offsets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import aiokafka
import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.errors import UnreadableRecords
from streams.kafka.authorization import refusal_of_group
from streams.kafka.bootstrap import return_to_bootstrap
from streams.kafka.connection import renew_password
from streams.kafka.decoding import Unreadable
from streams.kafka.fetching import Skipped, read_on
from streams.kafka.settings import KafkaSettings
from streams.kafka.unreadable import unreadable_changelog, unreadable_source
from streams.telemetry.logging import FAUST_LOG
from streams.worker.health.broker_probe import BrokerProbe
from streams.worker.health.causes import in_words
from streams.worker.partitions.coordinator import leave, observe
from streams.worker.partitions.membership import Membership
from streams.worker.partitions.offset_range import OffsetRange

log = logging.getLogger(__name__)

# How long a broker may hold a fetch for which it has no records. Faust asks for 1.5 s
# (test_faust_consumer.py); the embedded broker then waits for all of it even when records come
# (test_librdkafka.py), which would delay each of them by half of it.
EMPTY_FETCH_MS = 100

# How long the broker may take to confirm that we leave, when the process hangs on its way out.
LEAVE_SECONDS = 1.0


class MemberApp(faust.App):
    """A Faust app that has a Membership, and a probe of the brokers. ``skipped``: records that are
    passed over unread."""

    logger = FAUST_LOG

    def __init__(
        self,
        app_id: str,
        *,
        membership: Membership,
        probe: BrokerProbe,
        kafka_settings: KafkaSettings,
        skipped: Skipped = (),
        **options: Any,
    ) -> None:
        self.membership = membership
        self.probe = probe
        self.kafka_settings = kafka_settings
        self.skipped = skipped
        super().__init__(app_id, **options)


class GroupThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread. It observes its coordinator, probes its brokers, and decodes its
    fetches with our own code."""

    app: MemberApp
    logger = FAUST_LOG
    _probing: asyncio.Task[None] | None = None

    async def on_start(self) -> None:
        await super().on_start()
        consumer = self._ensure_consumer()
        consumer._fetcher._fetch_max_wait_ms = EMPTY_FETCH_MS
        observe(consumer._coordinator, self.app.membership)
        read_on(consumer, self._can_not_read, self.app.skipped)
        return_to_bootstrap(consumer._client)
        renew_password(consumer._client, self.app.kafka_settings)
        self._probing = asyncio.create_task(
            self.app.probe.run(lambda: consumer._client, consumer), name="broker probe"
        )

    async def on_thread_stop(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
        await super().on_thread_stop()

    def _can_not_read(
        self, place: aiokafka.TopicPartition, lost: Unreadable, unnamed: Sequence[int]
    ) -> None:
        topic, partition = place
        if topic in self.app.tables.changelog_topics:
            line = unreadable_changelog(topic, partition, lost)
        else:
            line = unreadable_source(topic, partition, lost, unnamed)
        # The first of several places is reported; once it is mended, the next start names the next
        # one.
        consumer: Any = self.consumer
        consumer.unreadable = consumer.unreadable or UnreadableRecords(line)

    def fatal_error(self) -> str | None:
        """Why aiokafka's coordinator has given up, or None. It would only log a line and idle:
        tests/kafka/test_worker_ends.py has two such cases."""
        if self._consumer is None:
            return None
        coordinator = self._consumer._coordinator
        if coordinator is None:
            return None  # still looking for the brokers
        if coordinator._pending_exception is not None:
            failure = coordinator._pending_exception
            return refusal_of_group(self.app.kafka_settings, failure) or in_words(failure)
        task = coordinator._coordination_task
        if task.done() and not coordinator._closing.done():
            failure = None if task.cancelled() else task.exception()
            because = f": {in_words(failure)}" if failure is not None else ""
            return f"the group coordination task has ended{because}"
        return None

    async def leave_group(self) -> None:
        """Leave the group when Faust's stop hangs before it does so. A static member stays."""
        if self._consumer is None or self._consumer._coordinator is None:
            return
        if self.thread_loop.is_closed():
            return  # the stop hangs elsewhere: this thread has left the group and ended
        leaving = asyncio.run_coroutine_threadsafe(
            leave(self._consumer._coordinator), self.thread_loop
        )
        try:
            await asyncio.wait_for(asyncio.wrap_future(leaving), LEAVE_SECONDS)
        except TimeoutError:
            log.warning("the group was not told in time: it waits for the end of our session")

    def behind(self, tp: TP) -> int:
        """Offsets between our fetch position and the end that the broker reported last.

        The position also passes transaction markers, for which no record ever comes.
        """
        state = self._state(tp)
        if state is None or state.highwater is None or not state.has_valid_position:
            return 0
        behind: int = state.highwater - state.position
        return max(0, behind)

    def end(self, tp: TP) -> int | None:
        """The end of the partition that the broker reported last; None while it has not."""
        state = self._state(tp)
        return None if state is None else state.highwater

    def _state(self, tp: TP) -> Any:
        """aiokafka's state of a partition that is assigned to us, or None."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        at = aiokafka.TopicPartition(tp.topic, tp.partition)
        if assignment is None or at not in assignment.tps:
            return None
        return assignment.state_value(at)

    async def earliest(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Where each partition begins now."""
        offsets = await self._ask(self._ensure_consumer().beginning_offsets, list(tps))
        return {TP(tp.topic, tp.partition): offset for tp, offset in offsets.items()}

    async def kept(self, tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        """Where each partition begins and ends now."""
        tps = list(tps)
        beginnings = await self.earliest(tps)
        ends = await self._ask(self._ensure_consumer().end_offsets, tps)
        return {tp: OffsetRange(beginnings[tp], ends[tp]) for tp in tps}

    async def _ask(self, question: Callable[[list[TP]], Awaitable[Any]], tps: list[TP]) -> Any:
        """Have this thread ask the brokers. A question that the caller gives up ends with that:
        aiokafka would ask on until its ``request_timeout_ms`` is over, and as Faust's thread takes
        two calls at a time, fetches and commits would wait behind two such questions."""
        asking: asyncio.Task[Any] | None = None

        async def ask() -> Any:
            nonlocal asking
            asking = asyncio.ensure_future(question(tps))
            return await asking

        try:
            return await self.call_thread(ask)
        except asyncio.CancelledError:
            if asking is not None and not self.thread_loop.is_closed():
                self.thread_loop.call_soon_threadsafe(asking.cancel)
            raise
