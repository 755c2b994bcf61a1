"""Our place in the consumer group: whether it is known to hold, why it is lost (promises 8, 13).

The consumer's thread writes it (``coordinator.py``); the main thread reads it.
"""

from __future__ import annotations

import time

from streams.worker.health.kafka_faults import Session


class Membership:
    """What the consumer thread knows of our place in the group. Read from the main thread."""

    def __init__(self, session_timeout: float, *, static: bool) -> None:
        self._session_timeout = session_timeout
        self._static = static
        self._answered_at = time.monotonic()
        self.lost: str | None = None
        """Why we are out of the group for good, or None."""

    @property
    def session(self) -> Session:
        """Our session: its time-out, and when the last request that renewed it was sent."""
        return Session(self._session_timeout, self._answered_at)

    def admitted(self, sent_at: float) -> None:
        """The group answered the last request of a join, which was sent at that monotonic time."""
        self._answered_at = sent_at

    def vouched_for(self, sent_at: float) -> bool:
        """The group answered a heartbeat that was sent at that monotonic time. Returns False when
        that proves nothing.

        A broker that has just become the coordinator and still loads the group accepts every
        heartbeat, also that of a member that was removed before (Kafka's own source:
        GroupCoordinatorService.heartbeat). So an answer counts only within one session time-out of
        the last one that counted: until then no member is removed. Later, only a join is proof.
        """
        if not self._alive_at(sent_at):
            return False
        self._answered_at = sent_at
        return True

    def member_reset(self) -> None:
        """The broker no longer knows this member. A dynamic member joins again; so does a static
        one whose session ran out. Otherwise another process has joined with the same instance id
        (KIP-345; tests/kafka/test_worker_ends.py)."""
        if self._static and self.session_alive():
            self.lost = (
                "another process joined the group with the same WORKER_INSTANCE_ID; give each "
                "worker its own"
            )

    def session_alive(self) -> bool:
        """Whether the group must still hold our partitions for us.

        The clock runs on while the process is stopped, so a worker that was frozen for longer than
        its session learns it here before it does anything (promise 8).
        """
        return self._alive_at(time.monotonic())

    def _alive_at(self, moment: float) -> bool:
        return moment - self._answered_at < self._session_timeout
