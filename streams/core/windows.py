"""Stretches of time in which the API is asked more than once, and when each of them is over."""

from __future__ import annotations


def next_of(shares: tuple[float, ...], begun: int, window_ms: int, now_ms: int) -> int:
    """The next of the times that are these parts of the window; its end when all have passed."""
    times = (begun + round(share * window_ms) for share in shares)
    return min((time for time in times if time > now_ms), default=begun + window_ms)


def end_of(ends: int, planned: int, now_ms: int) -> int:
    """When a window is over that was to end at ``ends``, for a look that was ``planned`` for an
    earlier time and is made now; all epoch milliseconds.

    Only a look that was planned for the end of a window ends it. Another one comes late, after an
    outage for one, or the clock was set forward: then the API has not had its time, and what was
    left of it follows.
    """
    return max(ends, now_ms + ends - planned)
