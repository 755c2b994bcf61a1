"""Times as others write them, as numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime.fromtimestamp(0, UTC)

# Of times read before. Records that are read together have the same ones again and again.
_REMEMBERED = 1024


@lru_cache(maxsize=_REMEMBERED)
def epoch_ms(timestamp: str | None) -> int | None:
    """An RFC 3339 / ISO 8601 time as epoch milliseconds; None when missing or unparsable.

    A time without an offset is taken as UTC, which is what Genesys Cloud means by it. A time whose
    offset moves it out of the years 1 to 9999 gives None, because ``rfc3339`` could not write it.
    """
    if not timestamp:
        return None
    try:
        at = datetime.fromisoformat(timestamp)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (at - _EPOCH) // timedelta(milliseconds=1)
