"""Stops a worker that would dead-letter a whole day's records, say because a scope was removed.

Only records that Genesys Cloud was asked about, or on which this program had a fault, are counted.
Garbage from a producer, and events that the table settles, do not show whether the worker can do
its job. No I/O; times are monotonic
seconds.
"""

from __future__ import annotations

from streams.core.records import Basis, Decision, Reason, Verdict
from streams.rolling_window import RollingWindow

# The records by which it is judged. Long enough to have some at night; and a cause that is mended
# is forgotten a minute later.
WINDOW_SECONDS = 60.0

# Fewer failures prove nothing: one interaction in a division that the client may not see is no
# reason to stop. Each start also costs this many dead letters while the cause is not mended.
FEWEST_DEAD = 20

# Reasons that say neither that the worker can do its job nor that it can not.
_SHOWS_NOTHING = (
    Reason.NOT_YET_VISIBLE,
    Reason.WRAP_UP_CLOSED,
    Reason.LOOK_PLANNED,
    Reason.LOOK_JOINED,
)


class DeadLetterLimit:
    """``limit``: share of the records of a window that may fail (DEAD_LETTER_LIMIT).

    Once the limit is passed it stays passed: the operator mends the cause and starts the worker
    again.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._asked = RollingWindow(WINDOW_SECONDS)
        self.passed: str | None = None
        """Why no more records are taken up; None while they are."""

    def decided(self, verdict: Verdict, now: float) -> None:
        """Count a record whose outcome is published, if Genesys Cloud was asked about it or this
        program failed on it. A record that is to be looked at again has no answer yet and is not
        counted; nor is a leg that takes no code any more, or an event that was only noted."""
        internal = verdict.reason is Reason.INTERNAL_ERROR
        if (verdict.basis is not Basis.API and not internal) or (verdict.reason in _SHOWS_NOTHING):
            return
        failed = internal or verdict.decision in (Decision.FAILED, Decision.NOT_FOUND)
        self.count(verdict.reason.value if failed else None, now)

    def count(self, reason: str | None, now: float) -> None:
        """Count a decided record. ``reason``: why it failed, or None when it did not fail."""
        self._asked.count(now, bad=reason is not None)
        asked = sum(each.number for each in self._asked.newest_first())
        dead = sum(each.bad for each in self._asked.newest_first())
        if self.passed is None and dead >= FEWEST_DEAD and dead > self._limit * asked:
            self.passed = (
                f"{dead} of the last {asked} records that Genesys Cloud was asked about failed, "
                f"the last one with {reason}: nothing more is taken up (DEAD_LETTER_LIMIT). Mend "
                "the cause, start the worker again, and send them back: genesys-streams "
                "dead-letters redrive"
            )
