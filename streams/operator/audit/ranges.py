"""From where to where a partition was read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Range:
    """``begin``: the first offset that Kafka keeps, ``end``: the one behind its last, when the
    reading began. ``first``, ``last``: offsets of the first and the last record that was read;
    ``first_at``, ``last_at``: their times, epoch milliseconds; None without any.
    """

    topic: str
    partition: int
    begin: int
    end: int
    records: int = 0
    first: int | None = None
    last: int | None = None
    first_at: int | None = None
    last_at: int | None = None

    def take(self, offset: int, at: int) -> None:
        """A record was read; they come in the order of their offsets."""
        self.records += 1
        if self.first is None:
            self.first, self.first_at = offset, at
        self.last, self.last_at = offset, at
