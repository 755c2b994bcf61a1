"""Keeps the current assignment, and the order in which it begins and ends (promise 8).

It is made before all parts that ask for the assignment: Faust's app and consumer, which begin and
end it; the dispatcher, which works on it; and the monitor, the sweeper and the server.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from faust.types import TP

from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.starting_point import Start

log = logging.getLogger(__name__)


class AssignmentObserver(Protocol):
    """Works on the partitions while they are ours."""

    def begin_assignment(self, assignment: Assignment) -> None:
        """The partitions are ours, their tables restored, their positions set."""
        ...

    async def end_assignment(self, assignment: Assignment) -> None:
        """Drain within a deadline and abandon the rest. Afterwards no effect may follow but a
        commit."""
        ...

    def committing(self, assignment: Assignment, offsets: Mapping[TP, int]) -> None:
        """These offsets are about to be committed."""
        ...


class Assignments:
    """One assignment after the other, of which at most one is in force.

    ``events``: the topic whose partitions' lives an assignment keeps. ``session_alive``: returns
    whether the group must still hold our partitions for us. ``fence``: called when an assignment is
    revoked; it holds back the records queued for Kafka.
    """

    def __init__(
        self, *, events: str, session_alive: Callable[[], bool], fence: Callable[[], None]
    ) -> None:
        self._events = events
        self._session_alive = session_alive
        self._fence = fence
        self._observers: list[AssignmentObserver] = []
        self._current: Assignment | None = None
        self._drained: Assignment | None = None
        self._begun = 0

    def add_observer(self, observer: AssignmentObserver) -> None:
        """Call the observer with each assignment from now on."""
        self._observers.append(observer)

    @property
    def current(self) -> Assignment | None:
        """The last assignment that began, which may be ending or revoked by now; None before the
        first."""
        return self._current

    @property
    def in_force(self) -> Assignment | None:
        """The current assignment, or None when it is ending or revoked."""
        assignment = self._current
        return None if assignment is None or assignment.ending.is_set() else assignment

    @property
    def begun(self) -> int:
        """How many assignments have begun so far."""
        return self._begun

    def held_in(self, generation: int) -> Assignment | None:
        """The current assignment, if it is of that generation and not revoked."""
        assignment = self._current
        if assignment is None or assignment.generation != generation or assignment.revoked:
            return None
        return assignment

    def taken_up(self) -> Mapping[TP, int]:
        """The next offset expected of each partition that is ours now. Any thread may call this."""
        assignment = self.in_force
        if assignment is None:
            return {}
        return {tp: frontier.expected for tp, frontier in assignment.frontiers.items()}

    @property
    def given_up(self) -> bool:
        """Whether no partition is held: none was assigned yet, or all were revoked or drained. A
        last commit may still be unanswered."""
        return self._current is None or self._current.revoked or self._drained is self._current

    def begin(self, generation: int, starts: Mapping[TP, Start]) -> Assignment:
        """Begin an assignment. Called after each seek; a second seek in one generation changes
        nothing."""
        held = self.held_in(generation)
        if held is not None:
            return held
        self.revoke()
        assignment = Assignment(
            generation,
            {tp: start.offset for tp, start in starts.items()},
            lives={
                tp.partition: start.life for tp, start in starts.items() if tp.topic == self._events
            },
            session_alive=self._session_alive,
            on_revoked=self._fence,
        )
        for observer in self._observers:
            observer.begin_assignment(assignment)
        self._current = assignment
        self._begun += 1
        return assignment

    async def end(self, commit: Callable[[], Awaitable[bool]]) -> None:
        """Give the partitions up in good order: drain, commit, and revoke, so that no effect
        follows."""
        assignment = self._current
        if assignment is None or assignment.revoked:
            return
        try:
            for observer in self._observers:
                await observer.end_assignment(assignment)
            self._drained = assignment
            if not await commit() and (untaken := assignment.uncommitted()):
                log.warning(
                    "Kafka did not take the last offsets: the outcomes since are published again",
                    extra={"generation": assignment.generation, "partitions": len(untaken)},
                )
        finally:
            assignment.revoke()

    def committing(self, assignment: Assignment, offsets: Mapping[TP, int]) -> None:
        """These offsets are about to be committed."""
        for observer in self._observers:
            observer.committing(assignment, offsets)

    def revoke(self) -> None:
        """From now on nothing of the current assignment may have an effect."""
        if self._current is not None:
            self._current.revoke()
