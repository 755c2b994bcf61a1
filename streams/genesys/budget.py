"""How fast requests may leave, so that the API's budget is used up and never exceeded (promise 9).

Pure: no clock, no I/O. Times are monotonic seconds and handed in.

Genesys Cloud counts requests in windows of a minute that begin with a request, and tells in each
answer where the window stands. So what is left is spread over the time that is left. ``reset`` is
told in whole seconds; each answer narrows down where between two of them the window really ends.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

WINDOW_SECONDS = 60.0

# Headers beyond these are of no window of a minute, and would stop all requests for as long as they
# say. A limit that lasts longer is told by its 429.
LONGEST_RESET = 61
HIGHEST_COUNT = 1_000_000_000

# How far a pace may fall behind and make up for it at once: a loop that wakes late would otherwise
# lose that time for good. At 300 a minute it is a quarter of a request, so nothing bunches.
SLACK_SECONDS = 0.05

# Times the even pace at which what was left over may be used before the window ends. Without a
# limit a quiet minute would end in a burst.
CATCH_UP = 2.0

# Requests of each other worker that may have been counted since we were last told.
RESERVE_PER_SHARER = 2

# Digits of a number in a rate header. More are no count, and Python refuses to read thousands.
_NUMBER = re.compile(r" *[0-9]{1,10} *", re.ASCII)

COUNT, ALLOWED, RESET = "inin-ratelimit-count", "inin-ratelimit-allowed", "inin-ratelimit-reset"


@dataclass(frozen=True, slots=True)
class Quota:
    """An answer's rate headers: requests counted in this window, it among them; how many are
    allowed; seconds until the window ends."""

    count: int
    allowed: int
    reset: int


def quota_of(headers: Mapping[str, str]) -> Quota | None:
    """The rate headers; None when they are not all there, or are no numbers one could keep to."""
    texts = [headers.get(name, "") for name in (COUNT, ALLOWED, RESET)]
    if not all(_NUMBER.fullmatch(text) for text in texts):
        return None
    quota = Quota(*map(int, texts))
    sane = 0 < quota.allowed <= HIGHEST_COUNT and 0 <= quota.count <= HIGHEST_COUNT
    return quota if sane and 0 <= quota.reset <= LONGEST_RESET else None


@dataclass(slots=True)
class _Window:
    """``told_by``: number of the request whose answer ``count`` is from. It ends after ``least``
    and by ``most``."""

    count: int
    allowed: int
    told_by: int
    least: float
    most: float


class Budget:
    """The budget of one worker. ``per_minute`` counts until the API tells another figure.

    ``shared_by``: workers that share what the API allows, this one included. Each answer tells what
    all of them have used, so each spreads all that is left: together they use it sooner in the
    window than one would, and whoever is alone uses it up.
    """

    def __init__(self, per_minute: int, *, shared_by: int = 1) -> None:
        self._per_minute = per_minute
        self._shared_by = shared_by
        self._window: _Window | None = None
        self._sent = 0
        self._due = -math.inf
        # Nobody knows the window: one request asks, and the others wait for its answer. The first
        # request of all, and the first after each window.
        self._asking = True
        self._asks_after = 0

    def next_at(self, now: float) -> float:
        """When the next request may leave; not later than ``now``: at once. Infinity: not before
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
        """The answer to request ``number`` is there, or none will come; ``quota`` if it told."""
        if quota is None or quota.reset == 0:
            if number > self._asks_after:
                self._asking = False
            return
        least, most = sent_at + quota.reset - 1, now + quota.reset
        window = self._window
        if window is None or least >= window.most:
            self._window = _Window(quota.count, quota.allowed, number, least, most)
            self._per_minute = quota.allowed
            self._asking, self._due = False, now
        elif most > window.least:
            window.least, window.most = max(window.least, least), min(window.most, most)
            if number > window.told_by:
                window.count, window.allowed, window.told_by = quota.count, quota.allowed, number
                self._per_minute = quota.allowed

    def _forget_window(self, now: float) -> None:
        if self._window is not None and now >= self._window.most:
            self._window = None
            self._asking, self._asks_after = True, self._sent
            self._due = now

    def _left(self, window: _Window) -> int:
        """Requests left in this window, those sent since the API last told it counted in."""
        since = self._sent - window.told_by
        reserve = RESERVE_PER_SHARER * (self._shared_by - 1)
        return window.allowed - window.count - since - reserve

    def _interval(self, now: float) -> float:
        even = WINDOW_SECONDS / self._per_minute
        if self._window is None:
            return even * self._shared_by
        left = max(1, self._left(self._window))
        seconds = max(0.0, self._window.least - now)
        return max(seconds / left, even / CATCH_UP)
