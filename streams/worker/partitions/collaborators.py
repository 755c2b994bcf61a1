"""What Faust's app and consumer (``consumer.py``) need from the rest of the worker."""

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
        """Check the group. Raises SettingsError when somebody else is in it by now."""
        ...


class SourceLogs(Protocol):
    """Knows the log of each source partition, and what has happened to it."""

    async def starting_points(self, found: Mapping[TP, Found]) -> Mapping[TP, Start]:
        """Where each source partition is to be read from."""
        ...

    async def cut(self, tp: TP, stood: int, kept: OffsetRange) -> tuple[Start, LogCut]:
        """The log of a partition was cut while it was read. Returns where the next start is to go
        on, and the reason why this worker ends."""
        ...


@runtime_checkable
class RestoredTable(Protocol):
    """The app's table, whose stores say from where they are to be restored."""

    def begin_restoration(self, kept: Mapping[TP, OffsetRange]) -> Mapping[TP, int]:
        """The offset up to which each changelog is applied, -1 for none. ``kept``: what the broker
        has of it. Raises StoreError."""
        ...

    def unrestored(self, ends: Mapping[TP, int]) -> Mapping[TP, int]:
        """Of these changelogs, each with its end, those that are not applied to there, and the
        offset up to which they are. Raises StoreError."""
        ...
