"""How fast requests may leave, so that the API's budget is used up and never exceeded (promise 9).

Pure: no clock, no I/O. Times are monotonic seconds and handed in.

Genesys Cloud counts requests in windows of a minute. A window begins with a request, and each
answer gives the count, the limit and the seconds until the window ends. So the requests that are
left are spread evenly over the time that is left. The answers give whole seconds; together they
narrow down when the window really ends.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

# The API counts by the minute, as its limits are named.
WINDOW_SECONDS = 60.0

# Header values above these can not be of a window of a minute, and would stop all requests for as
# long as they say. A limit for a longer time shows in its 429.
LONGEST_RESET = 61
HIGHEST_COUNT = 1_000_000_000

# How much delay may be made up for at once: an event loop that wakes late would otherwise lose that
# time for good. At 300 requests a minute this is a quarter of a request, so requests do not bunch.
SLACK_SECONDS = 0.05

# How many times the even pace is allowed, to use up the requests left over before the window ends.
# Without this limit a quiet minute would end in a burst.
CATCH_UP = 2.0

# Requests of each other worker that the API may have counted since its last answer to us.
RESERVE_PER_SHARER = 2

# A number in a rate header. Longer ones are no count, and Python refuses thousands of digits.
_NUMBER = re.compile(r" *[0-9]{1,10} *", re.ASCII)

COUNT, ALLOWED, RESET = "inin-ratelimit-count", "inin-ratelimit-allowed", "inin-ratelimit-reset"


@dataclass(frozen=True, slots=True)
class Quota:
    """The rate headers of an answer. ``count``: requests counted in this window, with its own.
    ``allowed``: requests allowed in a window. ``reset``: seconds until the window ends."""

    count: int
    allowed: int
    reset: int


def quota_of(headers: Mapping[str, str]) -> Quota | None:
    """The rate headers; None if one is missing, or if they are not usable numbers."""
    texts = [headers.get(name, "") for name in (COUNT, ALLOWED, RESET)]
    if not all(_NUMBER.fullmatch(text) for text in texts):
        return None
    quota = Quota(*map(int, texts))
    sane = 0 < quota.allowed <= HIGHEST_COUNT and 0 <= quota.count <= HIGHEST_COUNT
    return quota if sane and 0 <= quota.reset <= LONGEST_RESET else None


@dataclass(slots=True)
class _Window:
    """The API's current window. ``counted_by``: number of the request whose answer gave ``count``.
    The window ends after ``least`` and not later than ``most``. ``first``: number of the request
    that has found it."""

    count: int
    allowed: int
    counted_by: int
    least: float
    most: float
    first: int


class Budget:
    """The budget of one worker. ``per_minute`` counts until the API gives another figure.

    ``shared_by``: number of workers that share the API's budget, this one included. Each answer
    says how much all of them have used, so each worker spreads all that is left. Together they use
    it up sooner in the window than one worker would; a worker that is alone uses it up too.
    """

    def __init__(self, per_minute: int, *, shared_by: int = 1) -> None:
        self._per_minute = per_minute
        self._shared_by = shared_by
        self._window: _Window | None = None
        self._sent = 0
        self._due = -math.inf
        # While the window is not known, one request asks, and the others wait for its answer. That
        # is the very first request, and the first one after each window.
        self._asking = True
        self._asks_after = 0

    @property
    def pace(self) -> float:
        """Requests a minute that are this worker's: the limit, without what others were seen to use
        of it in this window, or its share where workers share one."""
        if self._shared_by > 1 or self._window is None:
            return self._per_minute / self._shared_by
        window = self._window
        others = window.count - (window.counted_by - window.first + 1)
        return max(1.0, float(window.allowed - max(0, others)))

    def next_at(self, now: float) -> float:
        """When the next request may leave. Up to ``now`` means at once; infinity means only after
        an answer has come."""
        self._forget_window(now)
        if self._asking:
            return math.inf if self._sent > self._asks_after else now
        window = self._window
        if window is not None and self._left(window) <= 0:
            return window.most
        return self._due

    def send(self, now: float) -> int:
        """A request leaves; returns its number."""
        self._due = max(self._due, now - SLACK_SECONDS) + self._interval(now)
        self._sent += 1
        return self._sent

    def answered(self, number: int, quota: Quota | None, sent_at: float, now: float) -> None:
        """Request ``number`` was answered, or never will be. ``quota``: of the answer, if any."""
        if quota is None or quota.reset == 0:
            if number > self._asks_after:
                self._asking = False
            return
        least, most = sent_at + quota.reset - 1, now + quota.reset
        window = self._window
        if window is None or least >= window.most:
            self._window = _Window(quota.count, quota.allowed, number, least, most, number)
            self._per_minute = quota.allowed
            self._asking, self._due = False, now
        elif most > window.least:
            window.least, window.most = max(window.least, least), min(window.most, most)
            if number > window.counted_by:
                window.count, window.allowed, window.counted_by = quota.count, quota.allowed, number
                self._per_minute = quota.allowed

    def _forget_window(self, now: float) -> None:
        if self._window is not None and now >= self._window.most:
            self._window = None
            self._asking, self._asks_after = True, self._sent
            self._due = now

    def _left(self, window: _Window) -> int:
        """Requests left in this window, less those sent since the last count from the API."""
        since = self._sent - window.counted_by
        reserve = RESERVE_PER_SHARER * (self._shared_by - 1)
        return window.allowed - window.count - since - reserve

    def _interval(self, now: float) -> float:
        even = WINDOW_SECONDS / self._per_minute
        if self._window is None:
            return even * self._shared_by
        left = max(1, self._left(self._window))
        seconds = max(0.0, self._window.least - now)
        return max(seconds / left, even / CATCH_UP)
