"""Our place in the consumer group: whether it is known to hold, why it is lost (promises 8, 13).

aiokafka's coordinator keeps to itself what it learns from heartbeats and joins. It is listened to
here, in its own thread; what it has told is read from the main one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

import aiokafka
import aiokafka.errors
import faust
from aiokafka.protocol.group import SyncGroupRequest
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from yarl import URL

from streams.errors import UnreadableRecords
from streams.kafka.bootstrap import return_to_bootstrap
from streams.kafka.decoding import Unreadable
from streams.kafka.fetching import Skipped, read_on
from streams.kafka.unreadable import unreadable_changelog, unreadable_source
from streams.worker.health.broker_probe import BrokerProbe
from streams.worker.health.causes import in_words
from streams.worker.health.fitness import Session
from streams.worker.partitions.offset_range import OffsetRange

log = logging.getLogger(__name__)

# How long a broker may sit on a fetch that it has nothing for. Faust asks for 1.5 s; the embedded
# broker then waits it out even when records come, which would delay each of them by half of it.
EMPTY_FETCH_MS = 100

# For the broker to take our leave, on the way out of a process that hangs.
LEAVE_SECONDS = 1.0


class Membership:
    """What the consumer thread knows of our place in the group. Read from the main thread."""

    def __init__(self, session_timeout: float, *, static: bool) -> None:
        self._session_timeout = session_timeout
        self._static = static
        self._answered_at = time.monotonic()
        self.lost: str | None = None
        """Why we are out of the group for good, or None."""

    @property
    def session(self) -> Session:
        """How long it is, and when the last request that renewed it left."""
        return Session(self._session_timeout, self._answered_at)

    def admitted(self, sent_at: float) -> None:
        """The group answered the last request of a join, which left at that monotonic time."""
        self._answered_at = sent_at

    def vouched_for(self, sent_at: float) -> bool:
        """It answered a heartbeat that left then; False when that proves nothing.

        A broker that has just become the coordinator and still loads the group says yes to every
        heartbeat, also to that of a member that was thrown out before. Nobody was while the answer
        before this one still held; once it does not, only a join tells.
        """
        if not self._alive_at(sent_at):
            return False
        self._answered_at = sent_at
        return True

    def member_reset(self) -> None:
        """The broker no longer knows this member. A dynamic one joins again; so does a static one
        whose session ran out. Else another process has joined with the same instance id."""
        if self._static and self.session_alive():
            self.lost = (
                "another process joined the group with the same WORKER_INSTANCE_ID; give each "
                "worker its own"
            )

    def session_alive(self) -> bool:
        """Whether the group must still hold our partitions for us.

        The clock runs on while the process is stopped, so a worker that was frozen for longer than
        its session learns it here before it does anything (promise 8).
        """
        return self._alive_at(time.monotonic())

    def _alive_at(self, moment: float) -> bool:
        return moment - self._answered_at < self._session_timeout


def listen(coordinator: Any, membership: Membership) -> None:
    """Have aiokafka's coordinator tell what it learns of our place in the group."""
    heartbeat, reset = coordinator._do_heartbeat, coordinator.reset_generation
    join, send = coordinator._do_rejoin_group, coordinator._send_req

    async def do_heartbeat() -> bool:
        sent_at = time.monotonic()
        answered: bool = await heartbeat()
        if answered and not membership.vouched_for(sent_at):
            coordinator.request_rejoin()
        return answered

    async def do_rejoin_group(subscription: Any) -> bool:
        if membership.lost is not None:
            # Joining again would take the membership back from the process that has it now.
            raise aiokafka.errors.KafkaError(membership.lost)
        joined: bool = await join(subscription)
        return joined

    async def send_req(request: Any) -> Any:
        sent_at = time.monotonic()
        response = await send(request)
        # The last request of a join: no heartbeat runs meanwhile, and what is done with the
        # assignment afterwards may take long.
        if isinstance(request, SyncGroupRequest) and response.error_code == 0:
            membership.admitted(sent_at)
        return response

    def reset_generation() -> None:
        membership.member_reset()
        reset()

    coordinator._do_heartbeat = do_heartbeat
    coordinator._do_rejoin_group = do_rejoin_group
    coordinator._send_req = send_req
    coordinator.reset_generation = reset_generation


async def leave(coordinator: Any) -> None:
    """Leave the group as aiokafka's ``close`` does, but wait for nothing that may hang."""
    if not coordinator._closing.done():
        coordinator._closing.set_result(None)  # or it would join again at once
    await coordinator._maybe_leave_group()


class MemberApp(faust.App):
    """A Faust app that has a Membership, and a probe of the brokers. ``skipped``: records that are
    passed over unread."""

    def __init__(
        self,
        app_id: str,
        *,
        membership: Membership,
        probe: BrokerProbe,
        skipped: Skipped = (),
        **options: Any,
    ) -> None:
        self.membership = membership
        self.probe = probe
        self.skipped = skipped
        super().__init__(app_id, **options)


class GroupThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread, its coordinator listened to, its brokers probed, its fetches read by
    ourselves."""

    app: MemberApp
    _probing: asyncio.Task[None] | None = None

    async def on_start(self) -> None:
        await super().on_start()
        consumer = self._ensure_consumer()
        consumer._fetcher._fetch_max_wait_ms = EMPTY_FETCH_MS
        listen(consumer._coordinator, self.app.membership)
        read_on(consumer, self._can_not_read, self.app.skipped)
        return_to_bootstrap(consumer._client)
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
        # Of several, the first is the one to begin with; the next start names the next.
        consumer: Any = self.consumer
        consumer.unreadable = consumer.unreadable or UnreadableRecords(line)

    def fatal_error(self) -> str | None:
        """Why aiokafka's coordinator has given up, or None. It would only log a line and idle."""
        if self._consumer is None:
            return None
        coordinator = self._consumer._coordinator
        if coordinator is None:
            return None  # still looking for the brokers
        if coordinator._pending_exception is not None:
            return in_words(coordinator._pending_exception)
        task = coordinator._coordination_task
        if task.done() and not coordinator._closing.done():
            failure = None if task.cancelled() else task.exception()
            told = f": {in_words(failure)}" if failure is not None else ""
            return f"the group coordination task has ended{told}"
        return None

    async def leave_group(self) -> None:
        """Say that we go, where Faust's stop hangs before it does. A static member stays."""
        if self._consumer is None or self._consumer._coordinator is None:
            return
        if self.thread_loop.is_closed():
            return  # it hangs elsewhere: this thread has ended, and left
        leaving = asyncio.run_coroutine_threadsafe(
            leave(self._consumer._coordinator), self.thread_loop
        )
        try:
            await asyncio.wait_for(asyncio.wrap_future(leaving), LEAVE_SECONDS)
        except TimeoutError:
            log.warning("the group was not told in time: it waits for the end of our session")

    def behind(self, tp: TP) -> int:
        """Offsets between our fetch position and the end that the broker told us last.

        The position passes transaction markers, which no record ever comes for.
        """
        state = self._state(tp)
        if state is None or state.highwater is None or not state.has_valid_position:
            return 0
        behind: int = state.highwater - state.position
        return max(0, behind)

    def end(self, tp: TP) -> int | None:
        """The end of the partition that the broker told us last; None while it has not."""
        state = self._state(tp)
        return None if state is None else state.highwater

    def _state(self, tp: TP) -> Any:
        """What aiokafka knows of a partition that is assigned to us, or None."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        at = aiokafka.TopicPartition(tp.topic, tp.partition)
        if assignment is None or at not in assignment.tps:
            return None
        return assignment.state_value(at)

    async def earliest(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Where each partition begins now."""
        offsets = await self.call_thread(self._ensure_consumer().beginning_offsets, list(tps))
        return {TP(tp.topic, tp.partition): offset for tp, offset in offsets.items()}

    async def kept(self, tps: Iterable[TP]) -> dict[TP, OffsetRange]:
        """Where each partition begins and ends now."""
        tps = list(tps)
        beginnings = await self.earliest(tps)
        ends = await self.call_thread(self._ensure_consumer().end_offsets, tps)
        return {tp: OffsetRange(beginnings[tp], ends[tp]) for tp in tps}


class MovableAssignor(PartitionAssignor):
    """Faust's assignor for static members that may come back at another address.

    The broker answers such a member with the assignment it had, old URL and all, and Faust asserts
    that the URL is its own: the coordination task would end there.
    """

    _assigned_url: URL | None = None

    def on_assignment(self, assignment: Any) -> None:
        told: Any = ClientMetadata.loads(self._decompress(assignment.user_data))
        self._assigned_url = URL(told.url)
        try:
            super().on_assignment(assignment)
        finally:
            self._assigned_url = None

    @property
    def _url(self) -> URL:
        return self._assigned_url or super()._url
