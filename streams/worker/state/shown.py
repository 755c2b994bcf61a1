"""A record of the table as the look-up shows it: every time is RFC 3339, as in an outcome.

The table has some of its times as numbers, because it reckons with them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.clock import rfc3339
from streams.core.records import Remembered

# The fields of the table's records that hold epoch milliseconds, by their names in JSON. A field
# of such a name that holds a text is a time already.
TIMES = frozenset(
    {
        *("firstSeenAt", "updatedAt", "toldBefore", "decidedBefore", "notBefore", "visibleBy"),
        *("at", "nextAt", "wakeAt", "acceptedAt", "endedAt", "acwAt", "codeAt"),
        *("overSince", "overThrough"),
    }
)


def encode_shown(record: Remembered) -> bytes:
    """The record's JSON. A time that is not set is left out, as any other such field."""
    return msgspec.json.encode(_shown(msgspec.to_builtins(record)))


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: rfc3339(each / 1000) if name in TIMES and isinstance(each, int) else _shown(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    return value
