"""The commit frontier of one partition in one generation (promise 2).

The committed offset never passes the lowest unfinished record. The frontier starts at the committed
offset, so a first record above that is a hole like any other. Its memory grows only with unfinished
records.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum, auto


class Arrival(Enum):
    """How the next offset from the broker relates to the frontier."""

    NEXT = auto()
    """The offset expected; it is unfinished until ``finish``."""
    REPEATED = auto()
    """Below the offset expected: seen in this generation, to be dropped."""
    HOLE = auto()
    """Above the offset expected: records in between never reached us. Nothing changed."""


class Frontier:
    """The offsets taken up and not finished, and the offset expected next."""

    __slots__ = ("_begun", "_expected", "_unfinished", "committed")

    def __init__(self, committed: int) -> None:
        self._expected = committed
        self._unfinished: OrderedDict[int, None] = OrderedDict()
        self._begun = -1
        self.committed = committed
        """The offset committed to Kafka, from which a next owner goes on."""

    @property
    def expected(self) -> int:
        """The next offset that may be taken up."""
        return self._expected

    @property
    def committable(self) -> int:
        """The lowest unfinished offset, or the next expected when all are finished."""
        return next(iter(self._unfinished), self._expected)

    def lowest_open(self) -> int | None:
        """The lowest unfinished offset, looked for among them all, whatever their order; None when
        there is none. ``committable`` takes the first one."""
        return min(self._unfinished, default=None)

    def lag(self, end: int | None = None) -> int:
        """The number of offsets from the committed one to the partition's end, or to the next
        expected one when that is higher or the end is unknown."""
        return max(self._expected, end or 0) - self.committed

    @property
    def unfinished(self) -> int:
        return len(self._unfinished)

    def open(self) -> Iterator[int]:
        """The offsets taken up and not finished, lowest first."""
        return iter(self._unfinished)

    @property
    def progress(self) -> int:
        """Grows with every record taken up and with every record finished, in any order."""
        return 2 * self._expected - len(self._unfinished)

    def is_open(self, offset: int) -> bool:
        """Whether this offset was taken up and is not finished."""
        return offset in self._unfinished

    def begin(self, offset: int) -> None:
        """Note that a record taken up is now being worked on."""
        self._begun = max(self._begun, offset)

    def owes(self, offset: int) -> bool:
        """Whether a higher offset was begun. If this one were left unfinished, the next owner would
        do the higher one again."""
        return offset < self._begun

    def take_up(self, offset: int) -> Arrival:
        """Offer the next record's offset."""
        if offset < self._expected:
            return Arrival.REPEATED
        if offset > self._expected:
            return Arrival.HOLE
        self._unfinished[offset] = None
        self._expected = offset + 1
        return Arrival.NEXT

    def skip_to(self, offset: int) -> None:
        """Pass offsets that the broker itself says hold no record (compaction, markers, retention).

        Raises ValueError when that would go backwards.
        """
        if offset < self._expected:
            raise ValueError(f"cannot skip back from {self._expected} to {offset}")
        self._expected = offset

    def finish(self, offset: int) -> None:
        """The record's effects are acknowledged. Raises KeyError when it was not taken up."""
        del self._unfinished[offset]
