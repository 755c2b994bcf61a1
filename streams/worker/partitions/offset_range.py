"""What the broker has of one partition."""

from __future__ import annotations

from typing import NamedTuple


class OffsetRange(NamedTuple):
    """From the first offset that is still there up to the one that the next record will get."""

    begin: int
    end: int
