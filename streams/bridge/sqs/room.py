"""How many messages, and how many bytes of them, may be in our hands at once. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from streams.bridge.sqs.batches import MOST

# SQS's limit for one message.
LARGEST_MESSAGE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RoomPolicy:
    """``messages``: while Kafka is away so many are held and renewed, a hundred requests each half
    of their time. SQS itself allows 120,000 to all readers together. At 10 ms a record a thousand
    are 100,000 records a second, so the limit is not reached while Kafka is there.

    ``bytes``: an event has some 2 KB, but may have 1 MiB; a thousand of those would be a GiB. The
    polls under way count with the most that they can bring.
    """

    messages: int = 1000
    bytes: int = 128 * 1024 * 1024


class Room:
    """Counts what is held, and what polls under way may bring. Each of them has taken the most that
    it can bring, so the limits hold whatever comes."""

    _POLL_BYTES = MOST * LARGEST_MESSAGE

    def __init__(self, policy: RoomPolicy) -> None:
        self._policy = policy
        self._polls = 0
        self.messages = 0
        self.bytes = 0

    def enter_poll(self) -> bool:
        """Whether there is room for all that one more poll can bring. It is taken then."""
        polls = self._polls + 1
        if (
            self.messages + polls * MOST > self._policy.messages
            or self.bytes + polls * self._POLL_BYTES > self._policy.bytes
        ):
            return False
        self._polls = polls
        return True

    def leave_poll(self) -> None:
        """The poll is over; what it brought enters by itself."""
        self._polls -= 1

    def enter(self, size: int) -> None:
        """A message of so many bytes has come."""
        self.messages += 1
        self.bytes += size

    def leave(self, size: int) -> None:
        """A message of so many bytes is not ours any more."""
        self.messages -= 1
        self.bytes -= size
