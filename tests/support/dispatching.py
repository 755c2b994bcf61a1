"""A worker of doubles behind the real dispatcher, which takes up runs as Faust hands them on."""

from __future__ import annotations

from collections.abc import Collection

from faust.types import TP

from streams.core.envelope import parse
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.dispatcher import Dispatcher
from streams.worker.interactions import RETURNED_SHARE, ROOM
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.assignments import Assignments
from streams.worker.partitions.offset_probe import First
from streams.worker.partitions.starting_point import Start
from streams.worker.way import Way
from tests.support.incarnation import Worker
from tests.support.spills import NO_SPILL
from tests.support.world import EVENTS, RETRIES, TOPICS


class NoHoles:
    """HoleInspector of a log without any."""

    async def first_at_or_after(self, tp: TP, offset: int) -> First:
        raise AssertionError(f"a hole in {tp} at {offset}")


class InTheirPlace:
    """Partitions whose records lie where their keys are put, and that nothing holds back."""

    def hold_back(self, tps: Collection[TP], held: bool) -> None:
        pass

    def misplaced(self, tp: TP, key: bytes | None) -> bool:
        return False


class Dispatching:
    """The dispatcher of one worker, with the partitions that it begins with."""

    def __init__(self, worker: Worker) -> None:
        self.failures = worker.failures
        self.assignments = Assignments(
            events=TOPICS.events, session_alive=lambda: True, fence=lambda: None
        )
        self.dispatcher = Dispatcher(
            way=Way(
                parse=parse,
                quick_path=worker.quick_path,
                processor=worker.processor,
                returned_share=RETURNED_SHARE,
                room=ROOM,
            ),
            table=worker.table,
            holes=NoHoles(),
            clock=worker.world.clock,
            metrics=worker.metrics,
            dead_letter_limit=DeadLetterLimit(1.0),
            topics=TOPICS,
            skipped=frozenset(),
            spill=NO_SPILL,
            in_flight=4,
            assignments=self.assignments,
            partitions=InTheirPlace(),
            commits=worker.commits,
            invariants=worker.invariants,
            on_failure=self.failures.append,
        )
        self.assignments.add_observer(self.dispatcher)

    def begin(self, events: int, retries: int = 0) -> Assignment:
        """From these offsets on."""
        starts = {EVENTS: Start(events, "one"), RETRIES: Start(retries, "one")}
        return self.assignments.begin(1, starts)
