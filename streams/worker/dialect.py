"""What the worker has of one dialect of the API: all else of it knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from streams.clock import Clock
from streams.genesys.gate import Gate
from streams.kafka.publisher import Publisher
from streams.settings import Settings
from streams.worker.dead_letter_limit import DeadLetterLimit
from streams.worker.group_commit import GroupCommit
from streams.worker.invariants import Invariants
from streams.worker.lanes.source_record import SourceRecord
from streams.worker.metrics import WorkerMetrics
from streams.worker.outcomes import OutcomePublisher
from streams.worker.spans import RecordSpans
from streams.worker.state.stores import StoredTable
from streams.worker.state.table import InteractionTable
from streams.worker.way import Way


class Client(Protocol):
    """Collaborator: the client of the API, as far as it is alike in all dialects."""

    @property
    def gate(self) -> Gate:
        """The gate that all requests pass."""
        ...

    @property
    def refused(self) -> str | None:
        """Why Genesys Cloud accepts no token of ours; None when it does, or is not known to."""
        ...

    async def prove_credentials(self) -> None:
        """Fetch a token before any record needs one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a dialect's parts stand on. ``table``: as Faust knows it. ``on_failure`` must end the
    worker."""

    settings: Settings
    table: StoredTable
    publisher: Publisher
    outcomes: OutcomePublisher
    spans: RecordSpans
    metrics: WorkerMetrics
    invariants: Invariants
    dead_letter_limit: DeadLetterLimit
    clock: Clock
    random: Random
    on_failure: Callable[[BaseException], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that know what an event and a record of the table are. ``kept``: whether the store
    proves that an event was decided; raises StoreError."""

    table: InteractionTable[Any]
    commits: GroupCommit[Any]
    way: Way
    kept: Callable[[SourceRecord], bool]


class Dialect(Protocol):
    """A dialect, with its client opened."""

    @property
    def client(self) -> Client: ...

    def build(self, around: Surroundings) -> Parts:
        """Wire its parts together."""
        ...
