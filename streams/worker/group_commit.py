"""Group commit: many verdicts reach the table, and many outcomes their topic, with one wait each.

What is decided goes into the open group. Once the changelog has the group before it, the open group
is closed and takes the same two steps: its interactions' records into the changelog and the stores,
of each interaction only the last one; then its outcomes, and then its source records are finished.
Ownership is asked before each step (promise 8). While a group takes the second step, the next one
takes the first.

The promises hold as for a record alone. A verdict is in the table before its outcome is published
(promise 6), because a group takes its steps in this order, and because an interaction's record
holds every verdict whose outcome may not be published (``InteractionRecord.unpublished``). The
outcomes of an interaction keep their order (promise 1), because groups take each step one after the
other, and a group keeps the order of its records.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from opentelemetry.trace import Span

from streams.core.records import Remembered, encode_record
from streams.errors import OwnershipLost
from streams.kafka.publisher import Publisher
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.outcomes import Decided, OutcomePublisher, Outgoing
from streams.worker.partitions.assignment import Assignment
from streams.worker.spans import RecordSpans
from streams.worker.state.table import InteractionTable

log = logging.getLogger(__name__)

# Records in a group. Beyond it, records wait in Kafka: a larger group gains nothing that can be
# measured, and a crash has more of its outcomes published a second time.
MOST_RECORDS = 1_000

# A partition's number and an interaction's id.
Key = tuple[int, str]

R = TypeVar("R", bound=Remembered)


@dataclass(slots=True, eq=False)
class _Group(Generic[R]):
    """``written``: the changelog and the stores have its records. ``done``: all is finished. Both
    are set, too, when the group has failed. ``spans``: those that end when it is published; None
    before its second step."""

    assignment: Assignment
    states: dict[Key, tuple[R, bytes]] = field(default_factory=dict)
    decided: list[Decided[R]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    written: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    spans: Sequence[Span] | None = None
    failure: BaseException | None = None

    def fail(self, failure: BaseException) -> None:
        self.failure = failure
        for event in (self.closed, self.written, self.done):
            event.set()

    async def after(self, event: asyncio.Event) -> None:
        """Wait for one of the events. Raises what the group has failed with."""
        await event.wait()
        if self.failure is not None:
            raise self.failure.with_traceback(None)


class GroupCommit(Generic[R]):
    """The groups of the assignment in force.

    ``alone`` publishes and finishes a record by itself: if the outcomes of a group can not be made,
    each of its records is published so, and the one that is at fault ends as its own outcome
    (promise 14).

    ``on_failure`` must end the worker: it gets the error of a group that could not be committed,
    whose records stay unfinished. A group whose partitions were given up fails with OwnershipLost,
    and its records are left to their next owner. All groups behind it fail with it.
    """

    def __init__(
        self,
        *,
        table: InteractionTable[R],
        publisher: Publisher,
        outcomes: OutcomePublisher,
        spans: RecordSpans,
        alone: Callable[[Decided[R]], Awaitable[None]],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._table = table
        self._publisher = publisher
        self._outcomes = outcomes
        self._spans = spans
        self._alone = alone
        self._on_failure = on_failure
        self._open: _Group[R] | None = None
        self._writing: _Group[R] | None = None
        self._publishing: _Group[R] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        # The last group that each lane has a record in.
        self._of_lane: dict[Hashable, _Group[R]] = {}

    def state(self, key: Key) -> R | None:
        """The interaction's record, if a group holds one that the store has not got yet."""
        for group in (self._open, self._writing):
            if group is not None and (found := group.states.get(key)) is not None:
                return found[0]
        return None

    def unpublished(self) -> Iterator[SourceRecord]:
        """The records of the groups that are not at their second step."""
        for group in (self._open, self._writing):
            if group is not None:
                yield from (each.source for each in group.decided)

    def add(self, decided: Decided[R]) -> None:
        """Put it into the open group; nobody waits for it."""
        self._join(decided)

    async def commit(self, decided: Decided[R]) -> None:
        """Put it into the open group, and wait until it is published and finished. Raises
        OwnershipLost, PublishError, StoreError."""
        group = self._join(decided)
        await group.after(group.done)

    async def write(self, assignment: Assignment, partition: int, state: R) -> None:
        """Put an interaction's record into the open group, and wait until the changelog has it.
        Raises OwnershipLost, PublishError, StoreError."""
        encoded = encode_record(state)
        group = self._group(assignment)
        group.states[(partition, state.interaction_id)] = (state, encoded)
        await group.after(group.written)

    def records(self) -> Iterator[SourceRecord]:
        """The source records of all groups: decided, and not finished."""
        for group in (self._open, self._writing, self._publishing):
            if group is not None:
                yield from (each.source for each in group.decided)

    async def room(self) -> None:
        """Wait while the open group is full."""
        while self._open is not None and len(self._open.decided) >= MOST_RECORDS:
            await self._open.closed.wait()

    async def released(self, lane: Hashable) -> None:
        """Wait until nothing of this lane is in a group any more. Raises OwnershipLost,
        PublishError, StoreError."""
        if (group := self._of_lane.get(lane)) is not None:
            await group.after(group.done)

    async def drain(self, seconds: float) -> bool:
        """Let the groups finish; after ``seconds``, leave them as they are. Returns whether they
        finished. Afterwards it begins anew."""
        late: set[asyncio.Task[None]] = set()
        deadline = asyncio.get_running_loop().time() + seconds
        while self._tasks and not late:
            left = deadline - asyncio.get_running_loop().time()
            _, late = await asyncio.wait(set(self._tasks), timeout=max(0.0, left))
        self.abandon()
        return not late

    def abandon(self) -> None:
        """Leave all groups as they are, to their partitions' next owner, and begin anew."""
        for task in self._tasks:
            task.cancel()
        self._fail(_given_up(), self._publishing)
        self._failure = None
        self._of_lane.clear()

    def _join(self, decided: Decided[R]) -> _Group[R]:
        source, group = decided.source, self._group(decided.source.assignment)
        if decided.state is not None:
            group.states[(source.tp.partition, decided.state[0].interaction_id)] = decided.state
        group.decided.append(decided)
        if group.failure is not None:
            self._give_up(group, group.failure)
        else:
            self._of_lane[source.lane] = group
        return group

    def _group(self, assignment: Assignment) -> _Group[R]:
        """The open group; a new one, and a task that commits it, where there is none."""
        failure = _given_up() if assignment.revoked else self._failure
        if failure is not None:
            failed = _Group[R](assignment)
            failed.fail(failure)
            return failed
        if self._open is None:
            self._open = _Group(assignment)
            if self._writing is None:
                self._start(self._write())
        return self._open

    def _start(self, step: Coroutine[Any, Any, None], publishing: _Group[R] | None = None) -> None:
        task = asyncio.create_task(self._guarded(step, publishing), name="group commit")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(
        self, step: Coroutine[Any, Any, None], publishing: _Group[R] | None = None
    ) -> None:
        """Carry out a step. ``publishing``: the group whose second step it is."""
        try:
            await step
        except OwnershipLost as lost:
            log.info("records left to their partitions' next owner", extra={"why": str(lost)})
            self._fail(lost, publishing)
        except Exception as failure:  # noqa: BLE001 - it ends the worker
            self._fail(failure, publishing)
            self._on_failure(failure)

    def _fail(self, failure: BaseException, publishing: _Group[R] | None) -> None:
        """Fail the group that is being published, if there is one, all groups behind it, and those
        to come: none may overtake a group that has failed."""
        self._failure = failure
        for group in (publishing, self._writing, self._open):
            if group is not None:
                group.fail(failure)
                self._give_up(group, failure)
        if publishing is not None:
            self._publishing = None
        self._writing = self._open = None

    def _give_up(self, group: _Group[R], failure: BaseException) -> None:
        """End its spans. What was decided where it was taken up has none before the second step."""
        begun = group.spans
        if begun is None:
            begun = [self._spans.begun(each.source) for each in group.decided if each.span is None]
        for span in begun:
            self._spans.failed(span, failure)

    async def _write(self) -> None:
        """The first step, of one group after the other, until the open one is empty."""
        while self._open is not None:
            group, self._writing, self._open = self._open, self._open, None
            group.closed.set()
            if group.states:
                values = {key: encoded for key, (_, encoded) in group.states.items()}
                await self._table.put_all(group.assignment, values)
            group.written.set()
            if self._publishing is not None:
                await self._publishing.done.wait()
            if group.failure is not None:
                return  # the group before it has failed
            self._writing = None
            if group.decided:
                self._publishing = group
                self._start(self._publish(group), group)
            else:
                group.done.set()

    async def _publish(self, group: _Group[R]) -> None:
        """The second step."""
        await group.assignment.owned()
        group.spans = ()
        try:
            outgoing = self._outcomes.outgoing(group.decided)
        except Exception:  # noqa: BLE001 - whoever publishes the record at fault meets it again
            for each in group.decided:
                await self._alone(each)
        else:
            await self._publish_together(group, outgoing)
        for each in group.decided:
            lane = each.source.lane
            if self._of_lane.get(lane) is group:
                del self._of_lane[lane]
        self._publishing = None
        group.done.set()

    async def _publish_together(self, group: _Group[R], outgoing: Outgoing) -> None:
        group.spans = [*outgoing.publishing, *outgoing.processing]
        runs = await self._publisher.enqueue_all(outgoing.messages)
        stored = await asyncio.gather(*runs)
        for each in group.decided:
            each.source.finish()
        self._spans.all_stored(outgoing.publishing, outgoing.messages, stored)
        for span in outgoing.processing:
            span.end()
        self._outcomes.count(group.decided, outgoing.publishing)


def _given_up() -> OwnershipLost:
    return OwnershipLost("its partition was given up before its group was committed")
