"""How often, how long and at most: the numbers of the design's table "When the API says no".

Seconds everywhere. Each is a frozen value or a constant, so that a test can hand in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

# Seconds a lane waits for the API at most; Genesys' own SDKs give up above this. A daily limit can
# close the gate for hours, and a lane that waited for it would hold its record all that time.
LONGEST_QUIET = 180.0

# Seconds that a lane waits to try its own call again. A 5xx whose Retry-After is longer is put off:
# a record held for minutes, when nothing else comes, looks like a worker that is stuck.
LONGEST_REST = 30.0

# A day: the longest limit there is. Keeps a bogus Retry-After from closing the gate for ever.
LONGEST_RETRY_AFTER = 86_400.0

# Doublings after which a wait grows no more: keeps 2**n finite for one that retries for days.
_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Growing waits: at most ``base`` after the first failure in a row, twice as long after each
    further one, never more than ``cap``."""

    base: float
    cap: float

    def limit(self, failures: int) -> float:
        """The longest wait after that many failures in a row."""
        return min(self.cap, self.base * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))

    def wait(self, failures: int, random: Random) -> float:
        """Exponential with full jitter: from 0 to the limit for that many failures in a row."""
        return random.uniform(0, self.limit(failures))


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How often a lane tries one call, the first time included, and how long it waits between.

    Three tries ride out a restart behind the load balancer; more would hold the lane's record
    while the API is down, when it is better put off.
    """

    tries: int = 3
    backoff: Backoff = Backoff(base=0.5, cap=10.0)


@dataclass(frozen=True, slots=True)
class PatchPolicy:
    """``tries``: PATCHes sent for one record before it is put off. Each that may have been applied
    is looked at first, and an API that takes GETs and fails every PATCH would be asked for ever.

    ``look``: the wait before that look. ``longest_rest``: an API that asks for more has the record
    put off.
    """

    tries: int = 3
    look: Backoff = Backoff(base=0.5, cap=10.0)
    longest_rest: float = LONGEST_REST


@dataclass(frozen=True, slots=True)
class DeferralPolicy:
    """``limit``: how often a record is put off at most (RETRY_MAX_ATTEMPTS). ``first``: how long
    the first time; ``longest``: how long at most.

    Ten deferrals take some four hours: longer than most outages, and well below the day for which
    an interaction is remembered.
    """

    limit: int = 10
    first: float = 30.0
    longest: float = 3600.0

    def seconds(self, attempt: int, random: Random) -> float:
        """Twice as long each time; the upper half is drawn, so that an outage's records do not come
        back all at once."""
        ceiling = Backoff(self.first, self.longest).limit(attempt)
        return random.uniform(ceiling / 2, ceiling)


PATCHES = PatchPolicy()

# Waits between token requests that bring no usable token: a wrong secret must not hammer the login
# host, which would lock the client out for longer than the mistake lasts.
TOKEN_BACKOFF = Backoff(base=1.0, cap=60.0)
