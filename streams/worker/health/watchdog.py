"""No living corpse (promise 13): a worker that can not do its job says so and ends.

When Faust or aiokafka gives up, it logs one line and idles for ever (the cases that are known are
in tests/kafka/test_worker_ends.py). The watchdog looks for the visible signs, once a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streams.clock import Clock
from streams.errors import KafkaUnfit, MembershipLost, Stalled, WorkerError
from streams.worker.health.causes import in_words
from streams.worker.health.kafka_faults import Fault

# Small beside the shortest time that anything here may last (10 s), and it costs nothing.
CHECK_SECONDS = 1.0

# A first join waits until the present members have finished the records in hand. A group that has
# assigned no partitions for this long, while no table is being restored, will assign none.
JOIN_SECONDS = 60.0

# Two looks are this far apart only when the process was frozen (stopped, suspended, its machine
# asleep). Kafka could not answer it meanwhile, so every fault is given its whole time again.
FROZEN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """The worker's state at one moment.

    ``fatal``: why the consumer is out of the group for good. ``broken``: why the table's stores can
    not be used, or a partition can not be read. ``crashed``: the error that Faust has crashed with.
    ``assignment``: whether one is in force. ``progress``: grows with every record finished or taken
    up, and with every assignment. ``restoring``: changes still to be read from the changelog, while
    there is no assignment. ``waiting``: records not fetched yet, or taken up and not finished,
    without those put off whose time has not come. ``excuse``: the known cause for which they wait,
    such as the throttle or the breaker. ``faults``: what is wrong between us and Kafka, causes
    before their effects.
    """

    fatal: str | None
    broken: WorkerError | None
    crashed: BaseException | None
    assignment: bool
    progress: int
    restoring: int
    waiting: int
    excuse: str | None
    faults: Sequence[Fault] = ()


class Watchdog:
    """Judges the vitals as they come."""

    def __init__(
        self,
        vitals: Callable[[], Vitals],
        clock: Clock,
        *,
        stall_seconds: float,
        join_seconds: float = JOIN_SECONDS,
    ) -> None:
        self._vitals = vitals
        self._clock = clock
        self._stall_seconds = stall_seconds
        self._join_seconds = join_seconds
        self._progress = -1
        self._moved_at = clock.monotonic()
        self._assignment_at = clock.monotonic()
        self._restoring = -1
        self._looked_at = clock.monotonic()
        self._thawed_at = -math.inf

    async def watch(self) -> WorkerError:
        """Look once a second, and return the reason to end once there is one."""
        while True:
            reason = self.judge()
            if reason is not None:
                return reason
            await self._clock.sleep(CHECK_SECONDS)

    def judge(self) -> WorkerError | None:
        """Look once. Returns the reason to end, or None."""
        vitals, now = self._vitals(), self._clock.monotonic()
        if now - self._looked_at > FROZEN_SECONDS:
            self._thawed_at = now
        self._looked_at = now
        return (
            _given_up(vitals, now)
            or self._unfit(vitals.faults, now)
            or self._without_partitions(vitals, now)
            or self._stalled(vitals, now)
        )

    def _unfit(self, faults: Sequence[Fault], now: float) -> WorkerError | None:
        for fault in faults:
            if fault.ends(now, self._thawed_at):
                return KafkaUnfit(fault.description(now))
        return None

    def _without_partitions(self, vitals: Vitals, now: float) -> WorkerError | None:
        if vitals.assignment or vitals.restoring != self._restoring:
            self._assignment_at, self._restoring = now, vitals.restoring
        elif now - self._assignment_at > self._join_seconds:
            return MembershipLost(
                f"no partitions were assigned, and no table was being restored, for "
                f"{self._join_seconds:.0f} s; the lines above say how far it got"
            )
        return None

    def _stalled(self, vitals: Vitals, now: float) -> WorkerError | None:
        if vitals.progress != self._progress or not vitals.waiting or vitals.excuse is not None:
            self._progress, self._moved_at = vitals.progress, now
        elif now - self._moved_at > self._stall_seconds:
            return Stalled(
                f"{vitals.waiting} records wait and none was finished for "
                f"{self._stall_seconds:.0f} s, with no cause that can be named"
            )
        return None


def _given_up(vitals: Vitals, now: float) -> WorkerError | None:
    """Why Faust, aiokafka or the table has given up; None while none has."""
    if vitals.fatal is None and vitals.broken is None and vitals.crashed is None:
        return None
    if vitals.broken is not None:
        return vitals.broken
    for fault in vitals.faults:
        if fault.explains:
            return KafkaUnfit(fault.description(now))
    if vitals.fatal is not None:
        return MembershipLost(f"out of the consumer group: {vitals.fatal}")
    assert vitals.crashed is not None
    return MembershipLost(f"Faust's consumer has crashed: {in_words(vitals.crashed)}")
