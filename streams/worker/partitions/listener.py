"""What the seam to Faust and Kafka asks of the worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from faust.types import TP

from streams.errors import LogCut
from streams.worker.partitions.assignment import Assignment
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.starting_point import Found, Start


class AssignmentListener(Protocol):
    """What the worker does when partitions come and go."""

    def begin_restoration(self, kept: Mapping[TP, OffsetRange]) -> Mapping[TP, int]:
        """Up to which offset each changelog is applied, -1 for none. ``kept``: what the broker
        has of it."""
        ...

    async def check_group(self) -> None:
        """Raises SettingsError when the group is not ours alone."""
        ...

    async def starting_points(self, found: Mapping[TP, Found]) -> Mapping[TP, Start]:
        """Where each source partition is to be read from."""
        ...

    async def cut(self, tp: TP, stood: int, kept: OffsetRange) -> tuple[Start, LogCut]:
        """The log of a partition was cut while it was read: where the next start is to go on, and
        why this worker ends."""
        ...

    def begin_assignment(self, generation: int, starts: Mapping[TP, Start]) -> Assignment:
        """The partitions are ours, their tables restored, their positions set."""
        ...

    def fail(self, failure: BaseException) -> None:
        """The worker can not go on: end it."""
        ...

    async def end_assignment(self, assignment: Assignment) -> None:
        """Drain within a deadline, abandon the rest; no effect may follow but a commit."""
        ...
