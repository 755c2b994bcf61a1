"""From when on a topic still has all of its records: what is older can not be judged. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Clocks of producers differ, and a broker deletes a segment some minutes late: a record so near the
# edge is not judged either. What became of a record is read from so long before it on, here
# and by a replay.
EDGE_MS = 10 * 60_000


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of one partition. ``begin``: its first offset that is kept. ``first_at``: that
    record's time; None in an empty one. Times in epoch milliseconds."""

    begin: int
    first_at: int | None

    def since(self, config: Mapping[str, str], now_ms: int) -> int | None:
        """From when on it has all its records; None when it has every one.

        ``config``: of its topic. Where time alone deletes, no record has gone that is younger than
        that. Else the first record that is there is all that is known.
        """
        if self.begin == 0:
            return None
        by_time, by_size = config.get("retention.ms", ""), config.get("retention.bytes", "")
        if by_size == "-1" and by_time.isdigit():
            return now_ms - int(by_time) + EDGE_MS
        return (now_ms if self.first_at is None else self.first_at) + EDGE_MS


def latest(times: Mapping[int, int | None]) -> int | None:
    """From when on all partitions have all their records."""
    return max((each for each in times.values() if each is not None), default=None)


def is_kept(at: int, *since: int | None) -> bool:
    """Whether a record of that time is young enough for all of these."""
    return all(each is None or at >= each for each in since)
