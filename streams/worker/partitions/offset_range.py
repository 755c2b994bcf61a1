"""What the broker has of one partition."""

from __future__ import annotations

from typing import NamedTuple


class OffsetRange(NamedTuple):
    """``begin``: the first offset that is still there. ``end``: the offset that the next record
    will get."""

    begin: int
    end: int
