"""All numbers of tries, waits and limits of the design's table "When the API says no".

All times are seconds. Each policy is a frozen value, so that a test can hand in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

# The longest time in seconds that a lane waits for the API; Genesys' own SDKs give up above this. A
# daily limit can pause the gate for hours, and a lane that waited would hold its record until then.
LONGEST_QUIET = 180.0

# The longest time in seconds that a lane waits before it tries its own call again. After a 5xx with
# a longer Retry-After the record is put off: a record held for minutes while no other comes looks
# like a worker that is stuck.
LONGEST_REST = 30.0

# A day: the longest limit there is. Keeps a wrong Retry-After from pausing the gate for ever.
LONGEST_RETRY_AFTER = 86_400.0

# A wait grows no more after this many doublings. Keeps 2**n finite when retries go on for days.
_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Growing waits: at most ``base`` after the first failure in a row, at most twice as long after
    each further one, never more than ``cap``."""

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
    """How often a lane tries one call (the first time included), and how long it waits in between.

    Three tries bridge a restart behind the load balancer. More tries would hold the lane's record
    while the API is down, and then it is better to put the record off.
    """

    tries: int = 3
    backoff: Backoff = Backoff(base=0.5, cap=10.0)


@dataclass(frozen=True, slots=True)
class PatchPolicy:
    """``tries``: PATCHes sent for one record before it is put off. After a PATCH that may have been
    applied, a GET looks whether it was; without a limit, an API that answers GETs and fails every
    PATCH would be asked for ever.

    ``look``: the wait before that GET. ``longest_rest``: if the API asks for a longer wait, the
    record is put off.
    """

    tries: int = 3
    look: Backoff = Backoff(base=0.5, cap=10.0)
    longest_rest: float = LONGEST_REST


@dataclass(frozen=True, slots=True)
class DeferralPolicy:
    """``limit``: how often a record may be put off (RETRY_MAX_ATTEMPTS). ``first``: the longest
    wait of the first deferral; ``longest``: the longest wait of any deferral.

    Ten deferrals take some four hours: longer than most outages, and well below the day for which
    an interaction is remembered.
    """

    limit: int = 10
    first: float = 30.0
    longest: float = 3600.0

    def seconds(self, attempt: int, random: Random) -> float:
        """The wait of deferral number ``attempt``. Its limit doubles each time. The wait is drawn
        from the limit's upper half, so that an outage's records do not all come back at once."""
        ceiling = Backoff(self.first, self.longest).limit(attempt)
        return random.uniform(ceiling / 2, ceiling)


PATCHES = PatchPolicy()

# Waits between token requests that bring no usable token. With a wrong secret, requests without a
# wait would make the login host lock the client out for longer than the mistake lasts.
TOKEN_BACKOFF = Backoff(base=1.0, cap=60.0)
