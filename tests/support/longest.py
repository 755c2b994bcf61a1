"""The longest values that a record may get from outside."""

from __future__ import annotations

from streams.core.records import Call

# Characters of a correlation id (contract, ``calls``).
CORRELATION_ID = 64


def longest_call() -> Call:
    """The most that a call is; what a correlation id may have at the most is doubled in JSON."""
    return Call(
        at="2025-12-12T15:15:07.657Z",
        method="PATCH",
        status=503,
        error="ConnectionLost",
        waited_ms=86_400_000.123,
        took_ms=3_600_000.123,
        correlation_id='"' * CORRELATION_ID,
    )
