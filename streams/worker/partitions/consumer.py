"""The seam between Faust and Kafka (promise 2).

faust-streaming 0.15.3 loses records around a rebalance: it resumes a partition before it seeks to
the committed offset, goes on handing out a batch fetched before that seek, and counts the records
in between as acknowledged. So nothing of its bookkeeping of source records is used here:

* a fetch and a seek never overlap, and a batch fetched before the last seek is not delivered;
* no source record is delivered between an assignment and the seek that follows it;
* nothing is fetched while the flow is suspended: Faust drops such a batch, and a recovery would
  wait for ever for changelog records that were fetched and dropped after the seek that begins it;
* Faust's read offsets (``bookkeeping``), gaps and acks play no part for source topics: our own
  frontier, which starts at the committed offset, checks the records delivered and computes the
  offsets to commit;
* a log that was cut ends the worker, once the offset where the next start goes on is committed:
  aiokafka would read such a log from its beginning, with no more than a line at INFO
  (tests/unit/libraries/test_aiokafka.py);
* a commit waits for the one under way, and is then made (Faust reports it as done without it);
* resuming a flow that is not suspended clears no queue (``bookkeeping``);
* a batch that can not be read is reported with its place, and raises nothing
  (``streams.kafka.fetching``).

Each of Faust's habits named here is shown by a test in tests/unit/libraries/test_faust_consumer.py.
Others have reported them: faust-streaming/faust#216 and #221 (a batch from before the seek), #596
(queues cleared with records in them), #606 (a commit past an unfinished record).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, MutableMapping
from typing import Any

import aiokafka.errors
from faust.tables.recovery import ServiceStopped
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.transports import TransportT
from faust.types.tuples import Message
from mode import Service

from streams.errors import LogCut, SettingsError, StoreError, WorkerError
from streams.kafka.partitioner import partition_of
from streams.telemetry.logging import FAUST_LOG
from streams.worker.health.broker_probe import BrokerProbe
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.bookkeeping import GentleFlowControl, NoReadOffsets
from streams.worker.partitions.collaborators import JoinedGroup, SourceLogs
from streams.worker.partitions.group_thread import MemberApp
from streams.worker.partitions.membership import Membership
from streams.worker.partitions.restoration import Restoration
from streams.worker.partitions.runs import as_message, follows, runs
from streams.worker.partitions.short_logs import cut_among
from streams.worker.partitions.source_thread import RANGE_SECONDS, SourceThread
from streams.worker.partitions.starting_point import Start

log = logging.getLogger(__name__)

# How long a fetch may take. A seek waits for the fetch under way, and Faust's own second
# (test_faust_consumer.py) would lengthen every rebalance by it.
FETCH_WAIT_SECONDS = 0.25

# How often the worker looks for a log that was cut although no record has shown it.
LOOK_SECONDS = 1.0


class SourceConsumer(driver.Consumer):
    """Faust's consumer with the rules of this module. Made by Faust; ``app`` is a StreamsApp."""

    app: StreamsApp
    logger = FAUST_LOG
    _thread: SourceThread

    unreadable: WorkerError | None = None
    """The first place where a partition can not be read, or None. Set by the consumer's thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset: MutableMapping[TP, int | None] = NoReadOffsets(self._is_source)
        self._fetching = asyncio.Lock()
        self._committing = asyncio.Lock()
        self._seeks = 0
        self._fetched_after = 0
        self._rebalances = 0
        self._joining = False
        self._awaiting_seek = True
        self._expected: dict[TP, int] = {}
        self._cut: TP | None = None

    def _new_consumer_thread(self) -> SourceThread:
        return SourceThread(self, loop=self.loop, beacon=self.beacon)

    def _is_source(self, tp: TP) -> bool:
        return not self._is_changelog_tp(tp)

    def fatal_error(self) -> str | None:
        return self.app.membership.lost or self._thread.fatal_error()

    def behind(self, tp: TP) -> int:
        """Offsets that the broker has reported and that were not fetched yet."""
        return self._thread.behind(tp)

    def end(self, tp: TP) -> int | None:
        """The end of the partition, as the broker reported it last; None before that."""
        return self._thread.end(tp)

    def hold_back(self, tps: Collection[TP], held: bool) -> None:
        """Stop reading these partitions while ``held``, else read on."""
        for tp in tps:
            if held:
                self.on_buffer_full(tp)
            else:
                self.on_buffer_drop(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._rebalances += 1
        self._joining = self._awaiting_seek = True
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._rebalances += 1
        self._joining, self._awaiting_seek = False, True
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek every source partition to where it is to be read from: to its committed offset if
        that is valid in the log that the broker has, else to the beginning of the log."""
        generation, rebalances = self.app.consumer_generation_id, self._rebalances
        async with self._fetching:
            self._seeks += 1
            try:
                starts = await self._starts(generation)
            except SettingsError as refusal:
                self.app.fail(refusal)
                return
            for tp, start in starts.items():
                await self._seek(tp, start.offset)
            self._expected = {tp: start.offset for tp, start in starts.items()}
            # Commit at once: after a crash the same would be noticed again, and begin another life.
            # Commit before anything is fetched: records that come before the assignment has begun
            # are dropped, and the position would be past them.
            await self._sign({tp: at for tp, at in starts.items() if at.notice is not None})
        if self._joining or rebalances != self._rebalances:
            # A rebalance came meanwhile, or is not over (a recovery outlives the revocation): these
            # partitions are out of date, and the seek for the new ones is yet to come.
            return
        if not self._restored():
            # The restoration begins anew, and comes back here.
            return
        self.app.assignments.begin(generation, starts)
        self._awaiting_seek = False

    async def _starts(self, generation: int) -> Mapping[TP, Start]:
        sources = [tp for tp in self.assignment() if self._is_source(tp)]
        held = self.app.assignments.held_in(generation)
        if held is not None:
            return {
                tp: Start(held.frontiers[tp].committed, self._thread.lives.get(tp, ""))
                for tp in sources
            }
        if self.app.group is not None:
            await self.app.group.after_joining()
        starts = await self.app.source_logs.starting_points(await self._thread.found(sources))
        self._thread.lives = {tp: start.life for tp, start in starts.items()}
        return starts

    def _restored(self) -> bool:
        try:
            return self.app.restoration.finish()
        except StoreError:
            raise ServiceStopped from None  # as in seek_wait

    async def _sign(self, starts: Mapping[TP, Start]) -> None:
        async with self._committing:
            await self._thread.sign({tp: start.offset for tp, start in starts.items()})

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek to where the restoration of the table begins, while no fetch is under way.

        Faust would seek to the last offset applied (test_faust_consumer.py), and might wait for
        ever for records that retention has deleted (faust-streaming/faust#155, #597, #651).
        """
        async with self._fetching:
            try:
                applied = self.app.restoration.begin(await self._thread.kept(partitions))
            except StoreError:
                # The watchdog sees the failure too, and reports it better than a crash of Faust
                # would.
                raise ServiceStopped from None
            await super().seek_wait({tp: offset + 1 for tp, offset in applied.items()})
            for tp in applied:
                # With a read offset of an earlier assignment, Faust would drop changelog records
                # below it as read already.
                self._read_offset.pop(tp, None)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        async with self._fetching:
            if not self.flow_active:
                return {}
            batch = await super()._getmany(active_partitions, min(timeout, FETCH_WAIT_SECONDS))
            self._fetched_after = self._seeks
            return batch

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Fetch, and deliver the records that may be delivered, fairly among partitions. A message
        holds a run: consecutive records of one partition."""
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        fetched_after = self._fetched_after
        for tp, run in runs(records):
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return
            if self._is_source(tp):
                if self._awaiting_seek or fetched_after != self._seeks:
                    continue
                if not follows(run, self._expected[tp]):
                    self._cut, self._awaiting_seek = tp, True
                    return
                self._expected[tp] = run[-1].offset + 1
            if active is None or tp in active or tp in self._buffered_partitions:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                yield tp, as_message(tp, run, generation)

    @Service.task
    async def _watch_logs(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_SECONDS)
            await self.look_for_cuts()

    async def look_for_cuts(self) -> None:
        """End the worker when a log was cut. A record below those delivered before may have shown
        it (``getmany``). If no record was written since, aiokafka's position has gone back by
        itself, or it lies past the log's end."""
        seeks = self._seeks
        # Asked before the lock is taken: while a leader does not answer, the rest is read on.
        short = await cut_among(self._seem_short(), self._thread.kept)
        async with self._fetching:
            # After a seek the logs stand elsewhere: the next look judges them there.
            if self._cut is None and not self._awaiting_seek and seeks == self._seeks:
                self._cut = next((tp for tp in self._expected if self._is_cut(tp, short)), None)
            if self._cut is not None and self._cut in self._expected:
                await self._end_of_log(self._cut)

    def _seem_short(self) -> dict[TP, int]:
        if self._awaiting_seek:
            return {}
        return {tp: at for tp, at in self._expected.items() if self.app.probe.is_short(tp)}

    def _is_cut(self, tp: TP, short: Collection[TP]) -> bool:
        at = self._thread.stands_at(tp)
        return (at is not None and at < self._expected[tp]) or tp in short

    async def _end_of_log(self, tp: TP) -> None:
        """Commit where the next start goes on, and end the worker, because a log was cut or is
        another one. Nothing more is delivered, and no offset of the old log is committed.

        All logs of a broker may have been cut with this one. Those that end too early are put right
        too: by the next start they may have grown past their old offsets again.
        """
        self._awaiting_seek = True
        try:
            kept = await asyncio.wait_for(self._thread.kept(self._expected), RANGE_SECONDS)
        except (TimeoutError, aiokafka.errors.KafkaError) as failure:
            log.warning(
                "a log was cut, and what the broker has of it is not to be had yet",
                extra={"topic": tp.topic, "partition": tp.partition, "error": repr(failure)},
            )
            return  # the next look tries again
        self._cut = None
        cut_too = (
            at for at, expected in self._expected.items() if at != tp and kept[at].end < expected
        )
        starts: dict[TP, Start] = {}
        reasons: list[LogCut] = []
        for at in [tp, *sorted(cut_too)]:
            if (assignment := self.app.assignments.current) is not None:
                assignment.cut(at)
            stood = self._expected[at]
            starts[at], reason = await self.app.source_logs.cut(at, stood, kept[at])
            reasons.append(reason)
        self._thread.lives = {**self._thread.lives, **{at: s.life for at, s in starts.items()}}
        await self._sign(starts)
        # This comes last: the end of the worker cancels everything under way here.
        self.app.fail(reasons[0])

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing. Faust counts every offset of a gap as acknowledged; we count none."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing. Faust takes a partition that is held back for one that hangs, and logs that
        again and again (as in faust-streaming/faust#602). The watchdog reports records that wait
        while nothing moves."""

    async def wait_empty(self) -> None:
        """Give the partitions up in good order: drain, commit, and revoke, so that no effect
        follows."""
        await self.app.assignments.end(self.commit)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit once any commit under way has ended. Faust would let that one count for both: the
        last commit before a partition is revoked would leave out records finished during the one
        before it."""
        async with self._committing:
            return await self.force_commit(topics, start_new_transaction)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit the frontiers' offsets, and nothing else. Returns whether any were committed."""
        assignment = self.app.assignments.current
        if assignment is None or assignment.generation != self.app.consumer_generation_id:
            return False
        offsets = assignment.uncommitted()
        if not offsets:
            return False
        self.app.assignments.committing(assignment, offsets)
        if not await self._commit(offsets):
            return False
        assignment.committed(offsets)
        return True


class StreamsApp(MemberApp):
    """A Faust app whose partitions are an Assignment, begun and ended by its consumer.

    ``group``: None where the broker does not describe groups. ``on_failure``: ends the worker.
    """

    def __init__(
        self,
        app_id: str,
        *,
        membership: Membership,
        probe: BrokerProbe,
        assignments: Assignments,
        source_logs: SourceLogs,
        group: JoinedGroup | None,
        on_failure: Callable[[BaseException], None],
        **options: Any,
    ) -> None:
        self.assignments = assignments
        self.source_logs = source_logs
        self.group = group
        self._on_failure = on_failure
        self._gentle_flow = GentleFlowControl()
        self.restoration = Restoration(self)
        super().__init__(app_id, membership=membership, probe=probe, **options)

    def _new_transport(self) -> TransportT:
        transport = super()._new_transport()
        # Faust reads the consumer's class from the transport's instance; there is no setting for
        # it.
        vars(transport)["Consumer"] = SourceConsumer
        return transport

    def partition_of(self, topic: str, key: bytes) -> int | None:
        """Where the default partitioner places a key; None before the topic is known."""
        consumer = self.consumer
        assert isinstance(consumer, SourceConsumer)
        # Faust's own way (``key_partition``) took a tenth of a worker's time without calls.
        partitions = consumer._thread.partitions(topic)
        return None if partitions is None else partition_of(key, partitions)

    def misplaced(self, tp: TP, key: bytes | None) -> bool:
        """Whether the record lies in another partition than the default partitioner gives its key.
        A record without a key is never misplaced."""
        return key is not None and self.partition_of(tp.topic, key) not in {None, tp.partition}

    @property
    def flow_control(self) -> GentleFlowControl:
        return self._gentle_flow

    def fail(self, failure: BaseException) -> None:
        """End the worker, with this reason."""
        self._on_failure(failure)

    def hold_back(self, tps: Collection[TP], held: bool) -> None:
        """See SourceConsumer."""
        consumer = self.consumer
        assert isinstance(consumer, SourceConsumer)
        consumer.hold_back(tps, held)

    async def leave_group(self) -> None:
        """Leave the group when the stop hangs, so that the others need not wait for the end of our
        session."""
        consumer = self.consumer
        assert isinstance(consumer, SourceConsumer)
        await consumer._thread.leave_group()

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        try:
            await super()._on_partitions_revoked(revoked)
        finally:
            self.assignments.revoke()
