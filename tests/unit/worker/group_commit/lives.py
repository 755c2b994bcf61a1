"""Lives of a worker that dies at any step of its groups, and what must be so in the end."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from streams.core.records import Decision, InteractionRecord, Reason
from streams.worker.state.table import InteractionTable
from tests.support.dispatching import Dispatching
from tests.support.fetched import Fetched, in_one_run
from tests.support.incarnation import OneInteraction, Worker
from tests.support.journal import JournalingFrontier
from tests.support.scripted import until
from tests.support.world import EVENTS, Crashed, World

SECONDS = 20.0


@dataclass(frozen=True)
class Event:
    """One event of one of the interactions. Only i-1 is known to the API."""

    interaction_id: str
    sequence: int
    state: str = "connected"

    @property
    def value(self) -> bytes:
        return json.dumps(
            {
                "id": f"event-{self.sequence}",
                "detail-type": "purecloud:v2:interaction:update",
                "time": "2025-12-12T15:15:00Z",
                "detail": {
                    "interactionId": self.interaction_id,
                    "sequenceId": self.sequence,
                    "interactionType": "voice",
                    "state": self.state,
                },
            }
        ).encode()


@dataclass
class Death:
    """A crash at that step from now on; from then on nothing happens."""

    world: World
    step: int
    came: str | None = None

    def __post_init__(self) -> None:
        self._at = len(self.world.journal) + self.step
        self.world.at_step = self._step

    def _step(self, number: int, name: str) -> None:
        if self.came is not None or number >= self._at:
            self.came = self.came or name
            raise Crashed(name)


@dataclass
class Life:
    """One life of a worker, from the committed offset to its death, or until all is finished. What
    runs when it dies is cancelled.

    ``run``: records that are handed on together. ``table``: instead of one in a dict.
    """

    world: World
    events: Sequence[Event]
    committed: int = 0
    run: int = 500
    table: InteractionTable[InteractionRecord] | None = None
    death: Death | None = None

    async def live(self) -> int:
        """Returns the offset that could be committed at its end."""
        if self.death is None:
            self.world.at_step = lambda _number, _step: None
        worker = Worker(self.world, api=OneInteraction(self.world), table=self.table)
        desk = Dispatching(worker)
        frontier = JournalingFrontier(self.committed, self.world)
        desk.begin(self.committed).frontiers[EVENTS] = frontier
        taking_up = asyncio.create_task(self._take_up(desk))
        await until(lambda: self._died or frontier.committable == len(self.events), SECONDS)
        taking_up.cancel()
        assert self._died or not desk.failures
        return frontier.committable

    async def _take_up(self, desk: Dispatching) -> None:
        fetched = [Fetched(offset, event.value) for offset, event in enumerate(self.events)]
        for first in range(self.committed, len(fetched), self.run):
            run = fetched[first : first + self.run]
            await desk.dispatcher.take_up(in_one_run(EVENTS, *run))

    @property
    def _died(self) -> bool:
        return self.death is not None and self.death.came is not None


def live(
    world: World,
    events: Sequence[Event],
    *,
    committed: int = 0,
    run: int = 500,
    table: InteractionTable[InteractionRecord] | None = None,
    death: Death | None = None,
) -> int:
    """See Life."""
    return asyncio.run(Life(world, events, committed, run, table, death).live())


Answer = tuple[str, Decision, Reason]


def answers(world: World) -> dict[int, set[Answer]]:
    """What was published of each source record."""
    found: defaultdict[int, set[Answer]] = defaultdict(set)
    for outcome in world.outcomes:
        found[outcome.source.offset].add((outcome.outcome_id, outcome.decision, outcome.reason))
    return dict(found)


def assert_as_if_nothing_had_happened(world: World, events: Sequence[Event]) -> None:
    """One ``outcomeId`` and one decision for each source record, those of a worker that never died;
    in the order of each interaction's records; one PATCH at most."""
    undisturbed = World()
    live(undisturbed, events)
    assert answers(world) == answers(undisturbed)
    assert sorted(answers(world)) == list(range(len(events)))
    assert all(len(each) == 1 for each in answers(world).values())
    assert world.applied == undisturbed.applied
    first_published: defaultdict[str | None, list[int]] = defaultdict(list)
    for outcome in world.outcomes:
        offsets = first_published[outcome.interaction_id]
        if outcome.source.offset not in offsets:
            offsets.append(outcome.source.offset)
    assert all(offsets == sorted(offsets) for offsets in first_published.values())
