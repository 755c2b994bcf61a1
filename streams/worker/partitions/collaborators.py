"""What the seam to Faust and Kafka asks of the rest of the worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from faust.types import TP

from streams.errors import LogCut
from streams.worker.partitions.offset_range import OffsetRange
from streams.worker.partitions.starting_point import Found, Start


class JoinedGroup(Protocol):
    """The consumer group that the worker has joined."""

    async def after_joining(self) -> None:
        """Raises SettingsError when the group is not ours alone."""
        ...


class SourceLogs(Protocol):
    """Knows which log each source partition is, and what befell it."""

    async def starting_points(self, found: Mapping[TP, Found]) -> Mapping[TP, Start]:
        """Where each source partition is to be read from."""
        ...

    async def cut(self, tp: TP, stood: int, kept: OffsetRange) -> tuple[Start, LogCut]:
        """The log of a partition was cut while it was read: where the next start is to go on, and
        why this worker ends."""
        ...


@runtime_checkable
class RestoredTable(Protocol):
    """The app's table, whose stores say from where they are to be restored."""

    def begin_restoration(self, kept: Mapping[TP, OffsetRange]) -> Mapping[TP, int]:
        """Up to which offset each changelog is applied, -1 for none. ``kept``: what the broker
        has of it. Raises StoreError."""
        ...
