"""For how long a message is hidden from other readers, and when that is to be renewed. Plain
values: no clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

# SQS hides a message for twelve hours at most from when it was handed out, and refuses to go
# beyond. A minute less: our clock starts when the answer has come, SQS's when it left.
LONGEST_SECONDS = 12 * 3600 - 60

# A visibility timeout of 0 hides nothing, so each message would be handed out again at once. SQS's
# own default takes its place.
DEFAULT_SECONDS = 30

# How often in a row a message is given back at once. From then on it waits, because what fails so
# often fails again, and without a wait it would do nothing but come and go.
AT_ONCE = 3
# The wait doubles up to a quarter of an hour: long enough for an operator to come first.
LONGEST_WAIT = 900


@dataclass(frozen=True, slots=True)
class Lease:
    """``received_at``: when the message came. It stays hidden for ``seconds`` from ``since`` on.
    Times in seconds of a monotonic clock."""

    received_at: float
    since: float
    seconds: int

    @classmethod
    def begin(cls, now: float, seconds: int) -> Self:
        return cls(now, now, seconds)

    @property
    def due(self) -> float:
        """When it is to be renewed: half its time is left for tries that fail."""
        return self.since + self.seconds / 2

    @property
    def until(self) -> float:
        """From then on SQS may hand the message to another reader."""
        return self.since + self.seconds

    def extension(self, now: float, seconds: int) -> int | None:
        """For how many seconds from now on it can be hidden; ``seconds`` unless the twelve hours
        end before. None when they are over."""
        left = int(self.received_at + LONGEST_SECONDS - now)
        return min(seconds, left) if left >= 1 else None

    def renewed(self, now: float, seconds: int) -> Self:
        """The lease once SQS has agreed. ``now``: when it was asked, not when it answered."""
        return replace(self, since=now, seconds=seconds)


def visibility_seconds(queue: int) -> int:
    """The visibility timeout that messages are received with, for a queue that has this one."""
    return min(queue, LONGEST_SECONDS) if queue >= 1 else DEFAULT_SECONDS


def wait_before_again(receive_count: int) -> int:
    """Seconds for which a message that could not be handled stays hidden."""
    if receive_count <= AT_ONCE:
        return 0
    # No wait needs more doublings; the count may be any number.
    return min(1 << min(receive_count - AT_ONCE, 30), LONGEST_WAIT)
