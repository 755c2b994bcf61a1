"""What is wrong between this worker and Kafka right now, and how long that may last (promise 13).

It judges what the brokers' views and the membership say. No I/O; the time is handed in.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from faust.types import TP

from streams.kafka.acls import Operation, Right
from streams.kafka.authorization import line
from streams.kafka.topics import no_topics, unequal
from streams.worker.health.broker_probe import (
    BELIEVED_AFTER_SECONDS,
    NO_RIGHT,
    BrokerView,
    PartitionView,
)

# A broker restarts, or another takes over from it, within this time: the worker is not unfit yet.
UNFIT_SECONDS = 15.0

# When no broker has answered for this long, waiting does not help, and the operator has to know
# within a minute. A storm's longest freeze or restart takes 20 s.
SILENT_SECONDS = 50.0

# For a single partition: its leader may be restarted while the other brokers work on.
UNREADABLE_SECONDS = 55.0

# One missed heartbeat does not make the worker unfit: it stays fit for at least this long without
# an answer, or for the session if that is shorter.
HEARTBEAT_SECONDS = 25.0

# A long session is judged in proportion: two of the six heartbeats in it (see app.py) may be missed
# before the worker is not ready, and three before it ends. The rest of the session is left to the
# worker that is started in its place.
UNFIT_SHARE_OF_SESSION = 1 / 3
ENDS_SHARE_OF_SESSION = 1 / 2

# A log that was cut ends the worker through SourceConsumer, which first commits the offset where
# the next start goes on. This limit is for the case that it can not.
CUT_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What the work needs of Kafka. ``alike``: the topics that must have as many partitions as
    ``events``. ``written``: the topics of which any partition may be written to at any time."""

    servers: str
    principal: str
    events: str
    partitions: int
    alike: tuple[str, ...]
    written: tuple[str, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.events, *self.alike, *self.written)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that has been wrong since ``since``, in monotonic seconds.

    ``what`` is one line; in it ``{seconds}`` stands for how long the fault has lasted. The worker
    is not ready once it has lasted ``unfit_after`` seconds, and ends once it has lasted
    ``ends_after``. ``explains``: if Faust or aiokafka has given up, this fault is the reason.
    """

    what: str
    since: float
    unfit_after: float
    ends_after: float
    explains: bool = False

    def description(self, now: float) -> str:
        return self.what.replace("{seconds}", f"{now - self.since:.0f} s")

    def unfit(self, now: float) -> bool:
        return now - self.since >= self.unfit_after

    def ends(self, now: float, thawed_at: float = -math.inf) -> bool:
        """``thawed_at``: when the process was last seen to go on after a freeze. Nobody could
        answer a frozen process, so the time before does not count."""
        return now - max(self.since, thawed_at) >= self.ends_after


@dataclass(frozen=True, slots=True)
class Session:
    """Our session in the group: its time-out, and when the last answered heartbeat was sent."""

    timeout: float
    answered_at: float


def faults(
    needs: Needs,
    *,
    consumer: BrokerView,
    producer: BrokerView,
    session: Session,
    held: Collection[TP] | None,
    now: float,
) -> list[Fault]:
    """All faults, also those that have not lasted long enough yet; causes before their effects.
    ``held``: the partitions that are ours, or None during a rebalance."""
    return [
        *_brokers(needs, consumer, "consumer"),
        *_brokers(needs, producer, "producer"),
        *_topics(needs, consumer),
        *(_log_cut(consumer, held) if held is not None else ()),
        *(_heartbeat(needs, session) if held is not None else ()),
        *_partitions(needs, consumer, held or (), now),
    ]


def _brokers(needs: Needs, view: BrokerView, who: str) -> Iterator[Fault]:
    if view.answered_at is None:
        return
    why = "; check that Kafka is up, KAFKA_BOOTSTRAP_SERVERS and the network"
    if view.why_not is not None:
        why = f": {view.why_not}"
    yield Fault(
        f"no Kafka broker has answered this worker's {who} for {{seconds}}, neither those it knew "
        f"nor {needs.servers}{why}",
        view.answered_at,
        UNFIT_SECONDS,
        SILENT_SECONDS,
    )


def _heartbeat(needs: Needs, session: Session) -> Iterator[Fault]:
    unfit_after = max(HEARTBEAT_SECONDS, session.timeout * UNFIT_SHARE_OF_SESSION)
    yield Fault(
        "no heartbeat was answered for {seconds}: the group may have given our partitions away; "
        f"check that Kafka is up at {needs.servers}",
        session.answered_at,
        min(session.timeout, unfit_after),
        max(SILENT_SECONDS, session.timeout * ENDS_SHARE_OF_SESSION),
    )


def _topics(needs: Needs, view: BrokerView) -> Iterator[Fault]:
    counts, since = view.counts, view.counts_since
    if counts is None:
        return
    for what in _differences(needs, counts):
        yield Fault(what, since, 0.0, BELIEVED_AFTER_SECONDS, explains=True)


def _differences(needs: Needs, counts: Mapping[str, int]) -> Iterator[str]:
    missing = [name for name in needs.topics if name not in counts]
    if missing:
        yield no_topics(missing, needs.servers)
    events = counts.get(needs.events)
    if events is None:
        return
    others = {name: counts[name] for name in needs.alike if name in counts}
    for name, found in sorted(others.items()):
        if found != events:
            yield unequal(needs.events, events, name, found)
    if events != needs.partitions and all(found == events for found in others.values()):
        yield (
            f"{needs.events} has {events} partitions now, and had {needs.partitions} when this "
            "worker started; start again to work on all of them"
        )


def _log_cut(view: BrokerView, held: Collection[TP]) -> Iterator[Fault]:
    for tp in held:
        seen = view.partitions.get(tp)
        if seen is not None and seen.short_since is not None:
            yield Fault(
                f"the log of {tp.topic}/{tp.partition} was cut: offset {seen.taken_up} was to come "
                f"next, and the log ends at {seen.end} (an unclean leader election, or the topic "
                "was made anew); start again",
                seen.short_since,
                BELIEVED_AFTER_SECONDS,
                CUT_SECONDS,
                explains=True,
            )


def _partitions(
    needs: Needs, view: BrokerView, held: Collection[TP], now: float
) -> Iterator[Fault]:
    if view.counts is None and view.answered_at is None:
        return  # the probe has not begun
    for tp in sorted(held):
        seen = view.partitions.get(tp)
        if seen is None:
            what = f"{tp.topic}/{tp.partition} was not looked at yet"
            yield Fault(what, now, 0.0, math.inf)
        elif seen.trouble is not None:
            yield _unreadable(needs, tp, seen)
    numbers = {tp.partition for tp in held}
    for tp, since in view.leaderless.items():
        if tp.topic in needs.written or (tp.topic in needs.alike and tp.partition in numbers):
            yield Fault(
                f"no broker has led {tp.topic}/{tp.partition} for {{seconds}}, so nothing can be "
                "written to it; bring the brokers with its replicas back",
                since,
                UNFIT_SECONDS,
                UNREADABLE_SECONDS,
            )


def _unreadable(needs: Needs, tp: TP, seen: PartitionView) -> Fault:
    why = f"{seen.trouble}; bring the brokers with its replicas back"
    if seen.trouble == NO_RIGHT:
        why = line(needs.principal, [Right("topic", tp.topic, Operation.READ)])
    return Fault(
        f"{tp.topic}/{tp.partition} could not be read for {{seconds}}: {why}",
        seen.answered_at,
        UNFIT_SECONDS,
        UNREADABLE_SECONDS,
    )
